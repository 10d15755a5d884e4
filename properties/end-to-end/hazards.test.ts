/**
 * Which mistakes a DMA shows on which device: the shortest failing schedule of each hazard's litmus, replayed. A device is
 * permitted to show a mistake, not required to, so a row may change with the device; that none is blamed wrongly may not.
 */
import { describe, expect, test } from 'vitest';
import { findQemuArm } from '../../impl/qemu/index.ts';
import { asidEndToEnd } from '../asid/end-to-end.ts';
import { smmuEndToEnd } from '../smmu/end-to-end.ts';
import { endToEndFamilies } from './index.ts';
import { show } from './testing/show.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);

/** Hazard, and what comes of it on our device and on QEMU 10.0; see `show`. */
type Row = readonly [hazard: string, builtin: string, qemu: string];

const ASID: readonly Row[] = [
  ['share-asid-unmap-window', 'stale-translation', 'refused'],
  ['share-asid-cd-first', 'stale-translation', 'refused'],
  ['share-asid-two-masters', 'stale-translation', 'refused'],
  ['share-asid-refcount-uaf', 'software', 'refused'],
  ['share-asid-toctou-insert', 'hidden', 'refused'],
  ['share-asid-domain-free', 'hidden', 'refused'],
  ['asid-free-before-flush', 'hidden', 'hidden'],
  ['asid-flush-before-detach', 'hidden', 'hidden'],
  ['asid-free-before-sync', 'hidden', 'hidden'],
  ['shared-asid-free-before-flush', 'hidden', 'refused'],
  ['pgtable-free-before-flush', 'hidden', 'hidden'],
  ['pgtable-free-before-sync', 'hidden', 'hidden'],
  ['pgtable-free-leaf-only', 'stale-translation', 'hidden'],
  ['pgtable-block-over-table', 'spurious-fault', 'hidden'],
  ['bbm-block-split', 'hidden', 'hidden'],
  ['bbm-split-no-flush', 'hidden', 'hidden'],
  ['smmu-ste-torn', 'refused-while-hitless', 'hidden'],
  ['smmu-ste-no-sync', 'hidden', 'hidden'],
  ['smmu-cd-no-break', 'wrong-address-space', 'wrong-address-space'],
  ['smmu-ste-used-bits', 'refused-while-hitless', 'hidden'],
  ['smmu-attach-publish-late', 'stale-translation', 'stale-translation'],
  ['smmu-range-tlbi-encoding', 'software', 'software'],
  ['smmu-range-tlbi-size', 'software', 'software'],
  ['smmu-range-tlbi-nonleaf-ttl', 'stale-translation', 'hidden'],
  ['smmu-range-tlbi-block-ttl', 'hidden', 'hidden'],
  ['fq-iova-reuse', 'stale-translation', 'stale-translation'],
  ['fq-finish-stamp', 'stale-translation', 'stale-translation'],
  ['fq-counter-compare', 'stale-translation', 'stale-translation'],
  ['fq-finish-early', 'stale-translation', 'stale-translation'],
  ['smmu-attach-invs-store-buffer', 'stale-translation', 'stale-translation'],
  ['share-asid-store-buffer', 'stale-translation', 'refused'],
  ['pgtable-install-no-wmb', 'stale-translation', 'stale-translation'],
  ['pgtable-map-no-wmb', 'spurious-fault', 'spurious-fault'],
  ['fq-queue-no-barrier', 'stale-translation', 'stale-translation'],
  ['sva-mm-use-after-free', 'software', 'refused'],
  ['sva-bind-error-keeps-pin', 'hidden', 'refused'],
  ['domain-finalise-keeps-table', 'hidden', 'hidden'],
];

const SMMU: readonly Row[] = [
  ['smmu-atc-before-tlb-sync', 'hidden', 'refused'],
  ['smmu-atc-first', 'stale-translation', 'refused'],
  ['s2-unmap-no-s1-clear', 'stale-translation', 'stale-translation'],
  ['s1-clear-before-s2-sync', 'hidden', 'hidden'],
  ['s1-clear-first', 'stale-translation', 'hidden'],
  ['smmu-atc-one-device', 'stale-translation', 'refused'],
  ['smmu-ats-set-read-once', 'stale-translation', 'refused'],
  ['s2-ipa-no-scale', 'stale-translation', 'stale-translation'],
  ['s2-ipa-size', 'software', 'software'],
  ['s2-ipa-block-ttl', 'stale-translation', 'hidden'],
  ['s2-ipa-leaf-only', 'stale-translation', 'hidden'],
  ['s2-pgtable-free-before-flush', 'hidden', 'hidden'],
  ['s2-pgtable-free-before-sync', 'hidden', 'hidden'],
  ['s2-block-split', 'hidden', 'hidden'],
  ['s2-block-over-table', 'spurious-fault', 'hidden'],
  ['viommu-inv-vmid-rewrite', 'stale-translation', 'stale-translation'],
  ['viommu-inv-sid-rewrite', 'stale-translation', 'hidden'],
  ['viommu-inv-wrong-device', 'stale-translation', 'refused'],
  ['viommu-inv-no-sync', 'stale-translation', 'hidden'],
  ['smmu-vsid-before-attach', 'spurious-abort', 'hidden'],
  ['viommu-vdevice-destroy-attached', 'spurious-abort', 'hidden'],
  ['viommu-ste-config', 'mixed-configuration', 'mixed-configuration'],
  ['viommu-ste-double-fetch', 'refused-while-hitless', 'refused-while-hitless'],
  ['smmu-ats-publish-late', 'stale-translation', 'refused'],
  ['smmu-atc-not-flushed-on-replace', 'wrong-address-space', 'refused'],
  ['smmu-ats-enable-no-flush', 'wrong-address-space', 'refused'],
  ['smmu-ats-flush-after-enable', 'wrong-address-space', 'refused'],
  ['smmu-ats-disable-late', 'refused-while-hitless', 'refused'],
  ['smmu-nested-atc-by-ipa', 'stale-translation', 'refused'],
  ['smmu-atc-span', 'stale-translation', 'refused'],
  ['vmid-free-before-flush', 'hidden', 'hidden'],
  ['nested-detach-keeps-nh', 'stale-translation', 'stale-translation'],
  ['s1-clear-per-attachment', 'hidden', 'hidden'],
  ['smmu-detach-invs-early', 'stale-translation', 'stale-translation'],
  ['smmu-attach-invs-late', 'stale-translation', 'refused'],
];

const TABLE = [
  ...ASID.map((row) => [asidEndToEnd, ...row] as const),
  ...SMMU.map((row) => [smmuEndToEnd, ...row] as const),
];

test('the table has every hazard of the families', () => {
  const all = endToEndFamilies.flatMap(({ family: { hazards } }) => hazards.map(({ id }) => id));
  expect(TABLE.map(([, hazard]) => hazard).toSorted()).toEqual(all.toSorted());
});

describe('on our device', () => {
  test.each(TABLE.map(([family, hazard, builtin]) => [hazard, builtin, family] as const))(
    '%s: %s',
    async (hazard, builtin, family) => expect(await show(family, hazard, 'builtin')).toBe(builtin),
  );
});

live('on QEMU', () => {
  test.each(TABLE.map(([family, hazard, , qemu]) => [hazard, qemu, family] as const))(
    '%s: %s',
    async (hazard, qemu, family) => expect(await show(family, hazard, 'qemu-smmuv3')).toBe(qemu),
    60_000,
  );
});
