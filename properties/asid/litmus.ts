import type { Litmus } from '../family.ts';
import { PLAIN, type AsidConfiguration } from './configuration.ts';
import type { AsidOperation } from './operations.ts';

/** A litmus test: agents by name, and how the world differs from the plain one. */
function litmus(
  id: string,
  title: string,
  agents: Readonly<Record<string, readonly AsidOperation[]>>,
  hazards: readonly string[],
  world: Partial<AsidConfiguration> = {},
): Litmus {
  const program = { agents: Object.entries(agents).map(([name, operations]) => ({ name, operations })) };
  return { id, title, hazards, configuration: { ...PLAIN, ...world } as AsidConfiguration, program };
}

const bind: AsidOperation = { op: 'bind', process: 0, device: 0 };
const unmap: AsidOperation = { op: 'unmap', domain: 0, page: 0 };
const unmapTable: AsidOperation = { op: 'unmapTable', domain: 0 };
const dmaUnmap: AsidOperation = { op: 'dmaUnmap', buffer: 0 };
const dmaMap: AsidOperation = { op: 'dmaMap', buffer: 0, frame: 0 };
const dmaFlush: AsidOperation = { op: 'dmaFlush' };

/** The smallest program for each way in which the family's software can go wrong. */
export const ASID_LITMUS: readonly Litmus[] = [
  litmus(
    'unmap-during-bind',
    'a page is unmapped while bind moves its domain to another ASID',
    { CPU0: [bind], CPU1: [unmap] },
    ['share-asid-unmap-window', 'share-asid-cd-first'],
  ),
  litmus(
    'unmap-during-bind-two-masters',
    'the same, with two devices whose context descriptors change one after the other',
    { CPU0: [bind], CPU1: [unmap] },
    ['share-asid-two-masters', 'share-asid-unmap-window'],
    { masters: 2 },
  ),
  litmus(
    'unmap-table-during-bind',
    'a page table is unlinked and freed while bind moves its domain to another ASID',
    { CPU0: [bind], CPU1: [unmapTable] },
    ['share-asid-unmap-window'],
  ),
  litmus(
    'bind-during-last-unbind',
    'a process is bound to a second device while its only bond is dissolved',
    { CPU0: [{ op: 'bind', process: 0, device: 1 }], CPU1: [{ op: 'unbind', process: 0, device: 0 }] },
    ['share-asid-refcount-uaf'],
    { masters: 2, bound: true },
  ),
  litmus(
    'bind-during-domain-free',
    'the domain that has the ASID a process wants is freed meanwhile',
    { CPU0: [{ op: 'bind', process: 1, device: 0 }], CPU1: [{ op: 'domainFree', domain: 1 }] },
    ['share-asid-toctou-insert', 'share-asid-domain-free'],
    { processes: 2 },
  ),
  litmus(
    'bind-twice',
    'a process is bound to two devices at once, and its ASID is in use',
    { CPU0: [bind], CPU1: [{ op: 'bind', process: 0, device: 1 }] },
    ['share-asid-toctou-insert'],
    { masters: 2 },
  ),
  litmus(
    'detach-then-free',
    'a domain is left by its last device and freed',
    {
      CPU0: [
        { op: 'detach', device: 0 },
        { op: 'domainFree', domain: 0 },
      ],
    },
    ['asid-free-before-flush', 'asid-flush-before-detach', 'asid-free-before-sync'],
  ),
  litmus(
    'detach-then-unmap-table',
    'a domain without devices, whose ASID must have nothing cached, frees a page table',
    { CPU0: [{ op: 'detach', device: 0 }, unmapTable] },
    ['asid-free-before-flush', 'asid-flush-before-detach', 'asid-free-before-sync'],
  ),
  litmus(
    'last-unbind',
    'the last bond of a process is dissolved, and its ASID goes back to the allocator',
    { CPU0: [{ op: 'unbind', process: 0, device: 0 }] },
    ['shared-asid-free-before-flush'],
    { bound: true },
  ),
  litmus('unmap-table', 'all pages under one table are unmapped and the table is freed', { CPU0: [unmapTable] }, [
    'pgtable-free-before-flush',
    'pgtable-free-before-sync',
    'pgtable-free-leaf-only',
    'smmu-range-tlbi-encoding',
    'smmu-range-tlbi-size',
    'smmu-range-tlbi-nonleaf-ttl',
  ]),
  litmus(
    'block-over-table',
    'a block takes the place of a table whose pages were unmapped',
    { CPU0: [unmap, { op: 'mapBlock', domain: 0, frame: 0 }] },
    ['pgtable-block-over-table'],
  ),
  litmus(
    'split-block',
    'a block that a device uses is split into pages',
    { CPU0: [{ op: 'split', domain: 0 }] },
    ['bbm-block-split', 'bbm-split-no-flush', 'smmu-range-tlbi-block-ttl'],
    { mapped: 0, block: true },
  ),
  litmus(
    'attach-from-bypass',
    'a device changes from bypass to translation',
    { CPU0: [{ op: 'attach', domain: 0, device: 1 }] },
    ['smmu-ste-torn'],
    { bypass: true },
  ),
  litmus(
    'detach-to-bypass',
    'a device changes from translation to bypass',
    { CPU0: [{ op: 'detach', device: 0 }] },
    ['smmu-ste-used-bits'],
    { bypass: true },
  ),
  litmus(
    'replace-domain',
    'a device changes from one domain to another',
    { CPU0: [{ op: 'attach', domain: 1, device: 0 }] },
    ['smmu-ste-no-sync', 'smmu-cd-no-break'],
  ),
  litmus(
    'unmap-during-attach',
    'a page is unmapped while the first device is attached',
    { CPU0: [unmap], CPU1: [{ op: 'attach', domain: 0, device: 0 }] },
    ['smmu-attach-publish-late'],
    { masters: 0 },
  ),
  litmus(
    'lazy-reuse',
    'an address is unmapped lazily while another mapping is made',
    { CPU0: [dmaUnmap], CPU1: [dmaMap] },
    ['fq-iova-reuse'],
    { lazy: true },
  ),
  litmus(
    'lazy-reuse-after-flush',
    'an address is unmapped lazily while a flush runs, after which another mapping is made',
    { CPU0: [dmaUnmap], CPU1: [dmaFlush, dmaMap] },
    ['fq-finish-stamp'],
    { lazy: true },
  ),
  litmus(
    'lazy-reuse-during-flush',
    'an address is unmapped lazily and wanted again while a flush runs',
    { CPU0: [dmaUnmap, dmaMap], CPU1: [dmaFlush] },
    ['fq-counter-compare'],
    { lazy: true },
  ),
  litmus(
    'lazy-two-flushes',
    'two flushes overlap while an address is unmapped lazily and another mapping is made',
    { CPU0: [dmaUnmap, dmaFlush], CPU1: [dmaFlush], CPU2: [dmaMap] },
    ['fq-finish-early'],
    { lazy: true },
  ),
  litmus(
    'weak-unmap-during-attach',
    'a page is unmapped while the first device is attached, and stores reach memory late',
    { CPU0: [unmap], CPU1: [{ op: 'attach', domain: 0, device: 0 }] },
    ['smmu-attach-invs-store-buffer'],
    { masters: 0, weak: 1 },
  ),
  litmus(
    'weak-unmap-during-bind',
    'a page is unmapped while bind moves its domain to another ASID, and stores reach memory late and out of order',
    { CPU0: [bind], CPU1: [unmap] },
    ['share-asid-store-buffer', 'smmu-attach-invs-store-buffer'],
    { weak: 2 },
  ),
  litmus(
    'weak-map-in-new-table',
    'a page table is freed, and its page becomes a table again, while stores reach memory late',
    { CPU0: [unmapTable, { op: 'map', domain: 0, page: 1, frame: 1 }] },
    ['pgtable-install-no-wmb'],
    { weak: 1 },
  ),
  litmus(
    'weak-map',
    'a page is mapped, and stores reach memory late',
    { CPU0: [{ op: 'map', domain: 0, page: 1, frame: 1 }] },
    ['pgtable-map-no-wmb'],
    { weak: 1 },
  ),
  litmus(
    'weak-lazy-reuse-after-flush',
    'an address is unmapped lazily while a flush runs, after which another mapping is made, and stores reach memory late',
    { CPU0: [dmaUnmap], CPU1: [dmaFlush, dmaMap] },
    ['fq-queue-no-barrier', 'fq-finish-stamp'],
    { lazy: true, weak: 1 },
  ),
  litmus(
    'exit-while-bound',
    'a process exits while a device is bound to it, and is unbound afterwards',
    {
      CPU0: [
        { op: 'exit', process: 0 },
        { op: 'unbind', process: 0, device: 0 },
      ],
    },
    ['sva-mm-use-after-free'],
    { bound: true },
  ),
  litmus(
    'bind-without-memory',
    'a process is bound when there is no ASID left for the domain that has to make room',
    { CPU0: [{ op: 'failNth', nth: 1 }, bind] },
    ['sva-bind-error-keeps-pin'],
    { faults: true },
  ),
  litmus(
    'domain-alloc-without-asid',
    'a domain is allocated when there is an object and a page for it, but no ASID',
    {
      CPU0: [
        { op: 'domainFree', domain: 1 },
        { op: 'failNth', nth: 3 },
        { op: 'domainAlloc', domain: 1 },
      ],
    },
    ['domain-finalise-keeps-table'],
    { faults: true },
  ),
];
