import type { Litmus } from '../family.ts';
import { PLAIN, type SmmuConfiguration } from './configuration.ts';
import type { SmmuOperation } from './operations.ts';

/** A litmus test: agents by name, and how the world differs from the plain one. */
function litmus(
  id: string,
  title: string,
  agents: Readonly<Record<string, readonly SmmuOperation[]>>,
  hazards: readonly string[],
  world: Partial<SmmuConfiguration> = {},
): Litmus {
  const program = { agents: Object.entries(agents).map(([name, operations]) => ({ name, operations })) };
  return { id, title, hazards, configuration: { ...PLAIN, ...world } as SmmuConfiguration, program };
}

const PARENT = 1;
const unmap: SmmuOperation = { op: 'unmap', place: PARENT, page: 0 };
const unmapTable: SmmuOperation = { op: 'unmapTable', place: PARENT };
const guestUnmap: SmmuOperation = { op: 'guestUnmap', space: 0, page: 0 };
const context: SmmuOperation = { op: 'guestContext', device: 0, space: 1 };
const nest: SmmuOperation = { op: 'guestStream', device: 0, config: 2 };
const detach: SmmuOperation = { op: 'detach', device: 0 };

/** The smallest program for each way in which the family's software can go wrong. */
export const SMMU_LITMUS: readonly Litmus[] = [
  litmus('unmap-stage-2-nested', 'the hypervisor takes a page away that a nested device reaches', { CPU0: [unmap] }, [
    's2-unmap-no-s1-clear',
    's1-clear-before-s2-sync',
    's1-clear-first',
    's2-ipa-size',
  ]),
  litmus(
    'unmap-stage-2-nested-ats',
    'the hypervisor takes a page away that the cache of a nested device holds',
    { CPU0: [unmap] },
    ['smmu-atc-before-tlb-sync', 'smmu-atc-first', 'smmu-nested-atc-by-ipa'],
    { ats: true },
  ),
  litmus(
    'unmap-stage-2-two-caches',
    'the hypervisor takes a page away that the caches of two devices hold',
    { CPU0: [unmap] },
    ['smmu-atc-one-device'],
    { masters: 2, ats: true },
  ),
  litmus(
    'unmap-two-pages-ats',
    'two pages that are not aligned to two are unmapped at once',
    { CPU0: [{ op: 'unmapPages', place: 0 }] },
    ['smmu-atc-span'],
    { start: 'stage 1', mapped: 2, ats: true },
  ),
  litmus(
    'unmap-two-pages-stage-2',
    'two pages of stage 2 are unmapped at once',
    { CPU0: [{ op: 'unmapPages', place: PARENT }] },
    ['s2-ipa-no-scale'],
    { start: 'stage 2', mapped: 2 },
  ),
  litmus(
    'unmap-table-stage-2',
    'all pages under one table of stage 2 are unmapped and the table is freed',
    { CPU0: [unmapTable] },
    ['s2-pgtable-free-before-flush', 's2-pgtable-free-before-sync', 's2-ipa-leaf-only', 's2-ipa-no-scale'],
    { start: 'stage 2' },
  ),
  litmus(
    'unmap-table-stage-2-nested',
    'the same while a nested device reaches a page through the table',
    { CPU0: [unmapTable] },
    ['s2-pgtable-free-before-flush', 's2-pgtable-free-before-sync', 's2-ipa-leaf-only', 's2-unmap-no-s1-clear'],
  ),
  litmus('unmap-block-stage-2', 'a block of stage 2 is unmapped', { CPU0: [unmapTable] }, ['s2-ipa-block-ttl'], {
    start: 'stage 2',
    block: true,
  }),
  litmus(
    'split-block-stage-2',
    'a block of stage 2 that a nested device uses is split into pages',
    { CPU0: [{ op: 'split', place: PARENT }] },
    ['s2-block-split'],
    { block: true },
  ),
  litmus(
    'block-over-table-stage-2',
    'a block of stage 2 takes the place of a table whose pages were unmapped',
    { CPU0: [unmap, { op: 'mapBlock', place: PARENT, frame: 0 }] },
    ['s2-block-over-table'],
    { start: 'stage 2' },
  ),
  litmus('guest-unmap', 'the guest unmaps a page that its device reaches', { CPU0: [guestUnmap] }, [
    'viommu-inv-vmid-rewrite',
    'viommu-inv-no-sync',
  ]),
  litmus(
    'guest-unmap-ats',
    'the guest unmaps a page that the cache of its device holds',
    { CPU0: [guestUnmap] },
    ['viommu-inv-sid-rewrite', 'viommu-inv-vmid-rewrite'],
    { ats: true },
  ),
  litmus(
    'guest-unmap-two-devices-ats',
    'the guest unmaps a page that the caches of both of its devices hold',
    { CPU0: [guestUnmap] },
    ['viommu-inv-wrong-device'],
    { masters: 2, ats: true },
  ),
  litmus(
    'guest-unmap-table',
    'the guest unmaps all pages under one of its tables and uses the table’s page for something else',
    { CPU0: [{ op: 'guestUnmapTable', space: 0 }] },
    ['viommu-inv-vmid-rewrite', 'viommu-inv-no-sync'],
  ),
  litmus('guest-context', 'the guest leads its device to another of its address spaces', { CPU0: [context] }, [
    'viommu-inv-sid-rewrite',
    'viommu-inv-no-sync',
  ]),
  litmus(
    'nest-then-context',
    'a device whose virtual StreamID the hypervisor was not told is nested, and the guest changes its context descriptor',
    { CPU0: [nest, context] },
    ['smmu-vsid-before-attach'],
    { start: 'stage 1' },
  ),
  litmus(
    'vdevice-destroy-during-context',
    'a virtual StreamID is taken away while the guest changes the context descriptor of its device',
    { CPU0: [{ op: 'vdeviceDestroy', device: 0 }], CPU1: [context] },
    ['viommu-vdevice-destroy-attached'],
  ),
  litmus(
    'guest-bypass',
    'the guest sets its device to bypass',
    { CPU0: [{ op: 'guestStream', device: 0, config: 1 }] },
    ['viommu-ste-config'],
  ),
  litmus(
    'guest-poke-during-attach',
    'the guest rewrites a stream table entry while the hypervisor takes it over',
    { CPU0: [nest], CPU1: [{ op: 'guestPoke', device: 0, config: 1 }] },
    ['viommu-ste-double-fetch'],
  ),
  litmus(
    'unmap-during-attach-ats',
    'a page is unmapped while a device with a cache is attached',
    { CPU0: [{ op: 'unmap', place: 0, page: 0 }], CPU1: [{ op: 'attach', place: 0, device: 0 }] },
    ['smmu-ats-publish-late', 'smmu-attach-invs-late'],
    { masters: 0, ats: true },
  ),
  litmus(
    'unmap-during-second-attach-ats',
    'a page is unmapped while a second device with a cache is attached to the same domain',
    { CPU0: [{ op: 'unmap', place: 0, page: 0 }], CPU1: [{ op: 'attach', place: 0, device: 1 }] },
    ['smmu-ats-set-read-once'],
    { start: 'stage 1', ats: true },
  ),
  litmus(
    'unmap-during-nesting',
    'a page of stage 2 is unmapped while a device is nested on it',
    { CPU0: [unmap], CPU1: [nest] },
    ['s1-clear-per-attachment'],
    { start: 'stage 2' },
  ),
  litmus(
    'replace-domain-ats',
    'a device with a cache changes from one domain to another',
    { CPU0: [{ op: 'attach', place: 2, device: 0 }] },
    ['smmu-atc-not-flushed-on-replace'],
    { start: 'stage 1', ats: true },
  ),
  litmus(
    'detach-attach-ats',
    'a device with a cache leaves a domain and is attached to another one',
    { CPU0: [detach, { op: 'attach', place: 2, device: 0 }] },
    ['smmu-ats-enable-no-flush', 'smmu-ats-flush-after-enable'],
    { start: 'stage 1', ats: true },
  ),
  litmus(
    'bypass-ats',
    'a device with a cache changes from translation to bypass',
    { CPU0: [{ op: 'bypass', device: 0 }] },
    ['smmu-ats-disable-late'],
    { start: 'stage 1', ats: true },
  ),
  litmus(
    'detach-then-free',
    'a stage 2 domain is left by its last device and freed',
    { CPU0: [{ op: 'attach', place: 2, device: 0 }, detach, { op: 'domainFree' }] },
    ['vmid-free-before-flush'],
    { start: 'stage 2' },
  ),
  litmus(
    'last-nested-detach',
    'the last device leaves a nest parent, a page goes, and the device comes back',
    { CPU0: [detach, unmap, nest] },
    ['nested-detach-keeps-nh'],
  ),
  litmus(
    'unmap-during-detach',
    'a page of stage 2 is unmapped while the device that uses it is detached',
    { CPU0: [unmap], CPU1: [detach] },
    ['smmu-detach-invs-early'],
    { start: 'stage 2' },
  ),
];
