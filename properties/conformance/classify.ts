/** Names the rule that a minimised deviation breaks. */
import { match, P } from 'ts-pattern';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { silently } from './compare.ts';
import type { Deviation } from './deviation.ts';
import { byGuest } from './classify-guest.ts';
import { factsOf } from './facts.ts';
import type { Facts } from './facts.ts';
import { illegalOpcodes } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import type { RuleId } from './rules.ts';

/** A rule, and what besides it tells this deviation from others that break the same rule. */
export interface Classification {
  /** Undefined: no rule is known; the difference must be investigated before it is called a deviation. */
  readonly rule: RuleId | undefined;
  readonly aspects: readonly string[];
}

type Classifier = (facts: Facts) => Classification | undefined;

const broken = (rule: RuleId, ...aspects: string[]): Classification => ({ rule, aspects });

const byCommand: Classifier = ({ deviation, cds, stes }) => {
  if (deviation.difference === 'event-queue') return broken('event-queue-overflow');
  if (deviation.difference === 'device-lost') {
    if (cds.some(({ form }) => form === 'address-size-reserved')) return broken('cd-reserved-values', deviation.found);
    const illegal = stes.find(({ form }) => form === 'stage2-aarch32');
    return illegal === undefined
      ? broken('device-survives', deviation.found)
      : broken('ste-validity', illegal.form, deviation.found);
  }
  if (deviation.difference === 'command-rejected') return broken('command-legal', deviation.found);
  if (deviation.difference !== 'command-accepted') return undefined;
  const opcode = illegalOpcodes.find((name) => name === deviation.found);
  if (opcode === undefined)
    return deviation.found.startsWith('TLBI')
      ? broken('command-illegal-range')
      : broken('command-illegal', deviation.found);
  if (opcode.startsWith('TLBI_EL2')) return broken('command-illegal-el2');
  if (opcode === 'ATC_INV' || opcode === 'PRI_RESP') return broken('command-illegal-ats', opcode);
  return opcode === 'RESERVED' ? broken('command-illegal') : broken('command-illegal-stall', opcode);
};

const byEvent: Classifier = ({ deviation }) => {
  if (deviation.difference !== 'event-field') return undefined;
  if (deviation.found.startsWith('F_WALK_EABT') && deviation.expected.some((kind) => kind.startsWith('F_ADDR_SIZE')))
    return broken('table-address-size');
  const fetch = /^F_(STE_FETCH|CD_FETCH|WALK_EABT)\./.test(deviation.found);
  if (fetch) return broken('event-fetch-address', deviation.found.split('.')[0] ?? '');
  return broken('event-fields', deviation.found);
};

/** A block where none may be: it is in the minimal program, so whatever the answer was, it was accepted. */
const byReservedBlock: Classifier = ({ reservedBlock }) => (reservedBlock ? broken('block-levels') : undefined);

/** A stale answer: something was accessed, changed and invalidated, and the old answer came back. */
const byInvalidation: Classifier = (facts) => {
  const { invalidation, access } = facts;
  if (invalidation === undefined) return undefined;
  const tagged = access?.tag !== undefined;
  const global = facts.leaves.some((leaf) => leaf.global);
  return match(invalidation)
    .returnType<Classification | undefined>()
    .with({ opcode: P.union('TLBI_NH_VA', 'TLBI_NH_VAA') }, (by) => {
      if (tagged) return broken('tlbi-tagged-address');
      if (global && by.opcode === 'TLBI_NH_VA') return broken('tlbi-global-any-asid');
      if (by.range !== undefined && by.range.num + by.range.scale > 0) return broken('tlbi-by-range');
      if (by.range !== undefined) return broken('tlbi-level-hint', `level ${by.range.level}`);
      return broken('tlbi-by-address', by.opcode, ...(by.leaf ? ['leaf'] : []));
    })
    .with({ opcode: 'TLBI_NH_ASID' }, () => broken('tlbi-by-asid'))
    .with({ opcode: P.union('TLBI_NH_ALL', 'TLBI_S12_VMALL', 'TLBI_NSNH_ALL') }, ({ opcode }) =>
      broken('tlbi-all', opcode),
    )
    .with({ opcode: 'TLBI_S2_IPA' }, (by) => {
      if (by.range !== undefined && by.range.num + by.range.scale > 0) return broken('tlbi-by-ipa-range');
      if (by.range !== undefined) return broken('tlbi-by-ipa-level-hint', `level ${by.range.level}`);
      return broken('tlbi-by-ipa', ...(by.leaf ? ['leaf'] : []));
    })
    .with({ opcode: P.union('CFGI_STE', 'CFGI_STE_RANGE', 'CFGI_ALL') }, ({ opcode }) => broken('cfgi-ste', opcode))
    .with({ opcode: P.union('CFGI_CD', 'CFGI_CD_ALL') }, ({ opcode }) => broken('cfgi-cd', opcode))
    .with({ opcode: P.union('PREFETCH_CONFIG', ...illegalOpcodes) }, () => undefined)
    .exhaustive();
};

/** What is wrong with how a stream finds its configuration. */
const byStructure: Classifier = ({ deviation, configuration, formats, streamTables, stes, cds }) => {
  const { expected, found } = deviation;
  const silent = !configuration.recordBadStreamId && expected.includes('abort');
  if (silent && found === 'C_BAD_STREAMID') return broken('stream-id-silent');
  const [format] = formats.slice(-1);
  const [l1] = streamTables.slice(-1);
  if (
    (silent || expected.includes('C_BAD_STREAMID')) &&
    l1 !== undefined &&
    l1.form !== 'valid' &&
    l1.form !== 'unaligned'
  )
    return broken('stream-id-span', l1.form);
  if (l1?.form === 'unaligned') return broken('stream-table-alignment');
  if (format !== undefined) return broken('stream-table-format', format.twoLevel ? 'to two-level' : 'to linear');
  const [ste] = stes.slice(-1);
  if (ste?.form === 'bypass' && expected.includes('F_ADDR_SIZE')) return broken('ste-bypass-address-size');
  if (ste?.form !== 'translate' && (expected.includes('C_BAD_STE') || found === 'C_BAD_STE'))
    return broken('ste-validity', ste?.form ?? 'never written');
  const [cd] = cds.slice(-1);
  // Memory that nobody has written is an entry that is not valid.
  if (cd?.form !== 'valid' && (expected.includes('C_BAD_CD') || found === 'C_BAD_CD'))
    return broken('cd-validity', cd?.form ?? 'never written');
  return undefined;
};

/** What is wrong with a walk. */
const byWalk: Classifier = ({ deviation, tables, leaves, accessedBefore, access, cds, configuration }) => {
  const { expected, found } = deviation;
  const expects = (name: string): boolean => expected.includes(name) || expected.includes(name + silently);
  const table = (bit: number): boolean => tables.some(({ apTable }) => (apTable & bit) !== 0);
  if (found === 'F_WALK_EABT' && expects('F_ADDR_SIZE')) return broken('table-address-size');
  if (found === 'F_PERMISSION' && table(3)) return broken('fault-order-hierarchical');
  if (expects('F_ADDR_SIZE') && (found === 'F_PERMISSION' || found === 'F_ACCESS'))
    return broken('fault-order-address-size', found);
  if (expects('F_ADDR_SIZE')) return broken('output-address-size', found);
  if (found === 'access' && expects('F_PERMISSION')) {
    if (table(2) && accessedBefore) return broken('hierarchical-permissions');
    if (leaves.some(({ ap }) => (ap & 1) === 0)) return broken('pcie-unprivileged', 'AP');
    if (table(1)) return broken('pcie-unprivileged', 'APTable');
    return broken(table(2) ? 'hierarchical-permissions' : 'permissions', ...(accessedBefore ? ['cached'] : []));
  }
  if (access?.beyond === true || cds.some(({ form }) => form === 'disabled-low')) return broken('input-range', found);
  if (expects('F_ACCESS') && configuration.contexts.every((context) => !context.accessFlagFaultDisabled))
    return broken('access-flag', found);
  return undefined;
};

/** What is left: something that any walk must do. */
const byAnswer: Classifier = ({ deviation, accessedBefore }) => {
  const { difference, expected, found } = deviation;
  if (difference === 'missing-event' || difference === 'unexpected-event') return broken('event-recorded', found);
  if (expected.length === 1 && expected[0] === 'access')
    return broken(accessedBefore ? 'tlbi-needed' : 'translation-valid', found);
  return undefined;
};

/** Classifies a deviation of a minimised program. */
export const classify = (program: ConformanceProgram, deviation: Deviation, features: SmmuFeatures): Classification => {
  const facts = factsOf(program, deviation, features);
  for (const classifier of [
    byCommand,
    byGuest,
    byInvalidation,
    byEvent,
    byStructure,
    byReservedBlock,
    byWalk,
    byAnswer,
  ]) {
    const found = classifier(facts);
    if (found !== undefined) return found;
  }
  return { rule: undefined, aspects: [deviation.difference, deviation.found, ...deviation.expected] };
};

/** The identity of a finding: two minimised deviations with the same one are the same finding. */
export const fingerprintOf = ({ rule, aspects }: Classification): string =>
  [rule ?? 'unclassified', ...aspects].join(' · ');
