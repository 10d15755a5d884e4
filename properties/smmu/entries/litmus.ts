import type { Litmus } from '../../family.ts';
import { contentNamed, type EntriesConfiguration, type Subject } from './configuration.ts';

/** One update, from one content to another. */
function litmus(id: string, title: string, subject: Subject, from: string, to: string, hazards: string[]): Litmus {
  const configuration: EntriesConfiguration = { subject, initial: contentNamed(subject, from), weak: 0 };
  const operations = [{ op: 'update', to: contentNamed(subject, to) }];
  return { id, title, hazards, configuration, program: { agents: [{ name: 'CPU0', operations }] } };
}

/** The smallest program for each mistake: a pair of contents between which it shows. */
export const ENTRIES_LITMUS: readonly Litmus[] = [
  litmus('ste-to-bypass', 'a device gets a bypass entry', 'ste', 'invalid', 'bypass', [
    'entry-critical-first',
    'entry-no-sync-between',
  ]),
  litmus('ste-to-abort', 'a device gets an entry for abort', 'ste', 'invalid', 'abort', [
    'entry-no-last-sync',
    'entry-no-wait',
    'ste-cfgi-cd-all',
  ]),
  litmus('ste-from-bypass', 'a bypass entry is taken away', 'ste', 'bypass', 'invalid', ['ste-used-shcfg']),
  litmus('ste-block-to-bypass', 'a blocked device bypasses', 'ste', 'abort', 'bypass', ['entry-always-break']),
  litmus('ste-s1-to-s2', 'stage 1 becomes stage 2', 'ste', 's1', 's2', ['entry-invalid-no-sync', 'ste-used-s1-vmid']),
  litmus('ste-s1-to-substreams', 'substreams come into use', 'ste', 's1', 's1 SSIDs', [
    'entry-valid-no-sync',
    'entry-valid-first',
    'entry-no-break',
  ]),
  litmus('ste-to-substreams', 'a device gets an entry with substreams', 'ste', 'invalid', 's1 SSIDs', [
    'entry-store-torn',
  ]),
  litmus('ste-from-substreams', 'an entry with substreams is taken away', 'ste', 's1 SSIDs', 'invalid', [
    'ste-used-s1dss',
  ]),
  litmus('ste-from-no-stall', 'an entry that forbids stalls is taken away', 'ste', 's1 no stall', 'invalid', [
    'ste-used-s1stalld',
  ]),
  litmus('ste-from-s1dss-bypass', 'accesses without a substream cease to bypass', 'ste', 's1 SSIDs bypass', 'invalid', [
    'ste-used-shcfg-s1dss',
  ]),
  litmus('ste-from-s2', 'a stage 2 entry is taken away', 'ste', 's2', 'invalid', ['ste-used-s2-table']),
  litmus('ste-block-s2', 'a device behind stage 2 is blocked', 'ste', 's2', 'abort', ['ste-used-s2-control']),
  litmus('ste-from-s2-stall', 'a stage 2 entry that stalls is taken away', 'ste', 's2 stall', 'invalid', [
    'ste-used-s2s',
  ]),
  litmus('ste-s2-to-parent', 'a stage 2 becomes the parent of nested ones', 'ste', 's2 stall', 's2 parent', [
    'ste-used-s2fwb',
  ]),
  litmus('ste-from-split-ats', 'split-stage ATS ends with its entry', 'ste', 'nested split ATS', 'invalid', [
    'ste-used-split-ats',
  ]),
  litmus(
    'ste-split-to-full-ats',
    'stage 1 of a nested entry goes, and with it split-stage ATS',
    'ste',
    'nested split ATS',
    's2 ATS',
    ['ste-safe-split-ats'],
  ),
  litmus('cd-quiet', 'a process goes while a device is bound to it', 'cd', 'SVA', 'SVA quiet', [
    'cd-used-quiet-target',
  ]),
  litmus('cd-bind', 'a PASID is bound', 'cd', 'empty', 'SVA', ['cd-cfgi-wrong-ssid', 'entry-critical-first']),
  litmus('cd-replace', 'a PASID moves to another domain', 'cd', 'domain', 'other domain', [
    'entry-no-break',
    'entry-invalid-no-sync',
    'entry-valid-no-sync',
  ]),
  litmus('cd-share-asid', 'a domain gets another ASID', 'cd', 'domain', 'domain, other ASID', ['entry-always-break']),
  litmus('cd-new-table', 'a PASID is bound that needs a new second-level table', 'cd-two-level', 'empty', 'domain', [
    'smmu-l1cd-leaf',
  ]),
];
