import type { Litmus, Operation } from '../../family.ts';
import { PLAIN, type AsidConfiguration } from '../configuration.ts';
import type { AsidOperation } from '../operations.ts';

/** A litmus test by what differs from the plain world, and the operations of CPU0, CPU1. */
function litmus(
  id: string,
  title: string,
  hazards: readonly string[],
  configuration: Partial<AsidConfiguration>,
  ...cpus: readonly (readonly AsidOperation[])[]
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations: operations as readonly Operation[] }));
  return {
    id,
    title,
    hazards,
    configuration: { ...PLAIN, ...configuration } as AsidConfiguration,
    program: { agents },
  };
}

const bind = (device: number): AsidOperation => ({ op: 'bind', process: 0, device });
const unbind = (device: number): AsidOperation => ({ op: 'unbind', process: 0, device });
const attach = (domain: number, device: number): AsidOperation => ({ op: 'attach', domain, device });
const detach = (device: number): AsidOperation => ({ op: 'detach', device });
const unmap: AsidOperation = { op: 'unmap', domain: 0, page: 0 };
const unmapTable: AsidOperation = { op: 'unmapTable', domain: 0 };
const mapBlock: AsidOperation = { op: 'mapBlock', domain: 0, frame: 0 };
const domainFree: AsidOperation = { op: 'domainFree', domain: 0 };
const dmaMap = (buffer: number, frame: number): AsidOperation => ({ op: 'dmaMap', buffer, frame });
const dmaUnmap = (buffer: number): AsidOperation => ({ op: 'dmaUnmap', buffer });
const dmaFlush: AsidOperation = { op: 'dmaFlush' };

/** The smallest program for each hazard, several hazards to a program where they share it. */
export const ASID_LITMUS: readonly Litmus[] = [
  litmus(
    'bind-unmap',
    'a domain gives its ASID up while one of its pages is unmapped',
    ['share-asid-unmap-window', 'share-asid-cd-first'],
    {},
    [bind(0)],
    [unmap],
  ),
  litmus(
    'bind-unmap-two-masters',
    'a domain of two devices gives its ASID up while one of its pages is unmapped',
    ['share-asid-two-masters'],
    { masters: 2 },
    [bind(0)],
    [unmap],
  ),
  litmus(
    'bind-unbind',
    'a process is bound to one device while the last unbind from another one is under way',
    ['share-asid-refcount-uaf'],
    { masters: 2, bound: true },
    [bind(1)],
    [unbind(0)],
  ),
  litmus(
    'bind-bind',
    'a process is bound to two devices at once, and its ASID is in use',
    ['share-asid-toctou-insert'],
    { masters: 2 },
    [bind(0)],
    [bind(1)],
  ),
  litmus(
    'bind-domain-free',
    'a process wants the ASID of a domain that is being freed',
    ['share-asid-domain-free'],
    { masters: 0, mapped: 0 },
    [attach(1, 0), bind(0)],
    [domainFree],
  ),
  litmus(
    'detach-free',
    'a domain is left by its last device and freed',
    ['asid-free-before-flush', 'asid-flush-before-detach', 'asid-free-before-sync'],
    {},
    [detach(0), domainFree],
  ),
  litmus('unbind', 'the last unbind of a process', ['shared-asid-free-before-flush'], { bound: true }, [unbind(0)]),
  litmus(
    'unmap-table',
    'all pages of a block are unmapped together with their table',
    [
      'pgtable-free-before-flush',
      'pgtable-free-before-sync',
      'pgtable-free-leaf-only',
      'smmu-range-tlbi-encoding',
      'smmu-range-tlbi-nonleaf-ttl',
    ],
    {},
    [unmapTable],
  ),
  litmus('block-over-table', 'a block is mapped where all pages were unmapped', ['pgtable-block-over-table'], {}, [
    unmap,
    mapBlock,
  ]),
  litmus(
    'split-block',
    'a block is split into pages',
    ['bbm-block-split', 'bbm-split-no-flush'],
    { block: true, mapped: 0 },
    [{ op: 'split', domain: 0 }],
  ),
  litmus(
    'attach-from-bypass',
    'a device changes from bypass to translation without an access being refused',
    ['smmu-ste-torn', 'smmu-ste-no-sync'],
    { masters: 0, bypass: true },
    [attach(0, 0)],
  ),
  litmus(
    'detach-to-bypass',
    'a device changes from translation to bypass without an access being refused',
    ['smmu-ste-used-bits'],
    { bypass: true },
    [detach(0)],
  ),
  litmus('change-over', 'a device changes from one domain to another', ['smmu-cd-no-break'], {}, [attach(1, 0)]),
  litmus(
    'attach-unmap',
    'a device is attached while a page is unmapped',
    ['smmu-attach-publish-late'],
    { masters: 0 },
    [attach(0, 0)],
    [unmap],
  ),
  litmus('unmap-page', 'one page is unmapped', ['smmu-range-tlbi-size'], {}, [unmap]),
  litmus('unmap-block', 'a block is unmapped', ['smmu-range-tlbi-block-ttl'], { block: true, mapped: 0 }, [unmapTable]),
  litmus(
    'lazy-remap',
    'an address is unmapped lazily and the next page is mapped',
    ['fq-iova-reuse'],
    { lazy: true, mapped: 0 },
    [dmaUnmap(0), dmaMap(0, 1)],
  ),
  litmus(
    'lazy-remap-flush',
    'an address is unmapped lazily while a flush is under way',
    ['fq-finish-stamp', 'fq-counter-compare'],
    { lazy: true, mapped: 0 },
    [dmaUnmap(0), dmaMap(0, 1)],
    [dmaFlush],
  ),
  litmus(
    'lazy-two-flushes',
    'two flushes overlap while an address is unmapped lazily',
    ['fq-finish-early'],
    { lazy: true, mapped: 0 },
    [dmaUnmap(0), dmaFlush],
    [dmaFlush, dmaMap(1, 1)],
  ),
];
