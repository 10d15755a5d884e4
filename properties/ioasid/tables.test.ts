import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import { search } from '../../engine/search/search.ts';
import { CD, encode, OPCODE, COMMAND_SYNC } from '../../model/architecture/arm/layout/index.ts';
import {
  DESCRIPTOR_TYPE,
  PASID_CACHE_GRANULARITY,
  PASID_CACHE_INVALIDATE,
  PASID_ENTRY,
} from '../../model/architecture/vtd/layout/index.ts';
import { ioasidConfiguration, PLAIN, TABLE_KINDS, type TableKind } from './configuration.ts';
import { makeHardware, type PasidHardware } from './hardware.ts';
import { ioasid } from './index.ts';

const UNDER_EACH = ioasid.litmus.flatMap((litmus) =>
  TABLE_KINDS.filter((table) => table !== litmus.configuration['table']).map(
    (table) => [litmus.id, table, litmus] as const,
  ),
);

test.each(UNDER_EACH)('%s exhausts and holds with table %s', (_id, table, litmus) => {
  const result = search(ioasid.world({ ...litmus.configuration, table }).load(litmus.program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
});

test('a trace without a table has entries that are written at once', () => {
  const { table: _table, ...before } = PLAIN;
  expect(ioasidConfiguration(before)).toEqual(PLAIN);
  expect(() => ioasidConfiguration({ ...PLAIN, table: 'amd' })).toThrow('"table" is one of abstract, vtd');
});

function hardware(table: TableKind): PasidHardware {
  return makeHardware(new Store(), { ...PLAIN, devices: 2, table });
}

/** Writes an entry of VT-d for an owner. */
function bindVtd({ vtd }: PasidHardware, device: number, owner: number): void {
  if (vtd === undefined) throw new Error('no VT-d');
  const { did, type, firstStage, secondStage } = vtd.domain(owner);
  const stages = { FLPTPTR: firstStage, SLPTPTR: type === 3 ? secondStage : 0 };
  const lanes = encode(PASID_ENTRY, { P: 1, PGTT: type, DID: did, ...stages });
  for (const word of [2, 1, 0])
    vtd.writeWord(device, 1, word, lanes[2 * word] as number, lanes[2 * word + 1] as number);
}

test.each(['vtd', 'vtd-nested'] as const)('%s: what is held of an entry is told by name', (table) => {
  const entries = hardware(table);
  expect(entries.cached(0, 1)).toBe(0);
  bindVtd(entries, 0, 1);
  expect([entries.entry(0, 1), entries.entry(1, 1), entries.entry(0, 2)]).toEqual([1, -1, -1]);
  expect([entries.cached(0, 1), entries.cached(1, 1), entries.cached(0, 2)]).toEqual([2, 0, 0]);
  expect(entries.holders?.(0, 1, 1)).toBe('in the PASID-cache and the IOTLB and the device-TLB');
  const { vtd } = entries;
  vtd?.writeWord(0, 1, 0, 0, 0);
  expect([entries.entry(0, 1), entries.cached(0, 1), entries.torn?.(0, 1)]).toEqual([-1, 2, false]);
  const fields = { Type: DESCRIPTOR_TYPE.PASID_CACHE, G: PASID_CACHE_GRANULARITY.PASID, PASID: 1 };
  vtd?.completed(vtd.submit(encode(PASID_CACHE_INVALIDATE, { ...fields, DID: table === 'vtd' ? 1 : 3 })));
  expect(entries.holders?.(0, 1, 1)).toBe('in the IOTLB and the device-TLB');
});

test('VT-d: an entry that is overwritten while it is present is torn where the words belong together', () => {
  const [first, nested] = [hardware('vtd'), hardware('vtd-nested')];
  for (const entries of [first, nested]) for (const owner of [0, 1]) bindVtd(entries, 0, owner);
  expect(first.torn?.(0, 1)).toBe(false);
  expect(nested.torn?.(0, 1)).toBe(true);
  expect(first.cached(0, 1)).toBe(3);
});

test('VT-d: there are as many domains as owners', () => {
  expect(() => hardware('vtd').vtd?.domain(2)).toThrow('there is no VM2');
});

/** Writes a context descriptor for an owner. */
function bindSmmu({ cds }: PasidHardware, device: number, owner: number): void {
  if (cds === undefined) throw new Error('no SMMU');
  const usual = { V: 1, AA64: 1, A: 1, R: 1, ASET: 1, IPS: 5, T0SZ: 39, EPD1: 1, T1SZ: 39, TG1: 2 };
  const lanes = encode(CD, { ...usual, ASID: 1, TTB0: cds.table(owner) });
  for (let word = 7; word >= 0; word--)
    cds.writeCd(device, 1, word, lanes[2 * word] as number, lanes[2 * word + 1] as number);
}

test('SMMU: what is held of a context descriptor is told by name', () => {
  const entries = hardware('smmu');
  expect([entries.entry(0, 1), entries.cached(0, 1)]).toEqual([-1, 0]);
  const { cds } = entries;
  // The invalid descriptor may be cached: it goes with CFGI_CD.
  bindSmmu(entries, 0, 1);
  expect([entries.entry(0, 1), entries.entry(1, 1), entries.entry(0, 2)]).toEqual([1, -1, -1]);
  expect([entries.cached(0, 1), entries.cached(1, 1)]).toEqual([2, 0]);
  expect(entries.holders?.(0, 1, 1)).toBe("in the SMMU's caches and the ATC");
  cds?.writeCd(0, 1, 0, 0, 0);
  expect(entries.holders?.(0, 1, 1)).toBe("in the SMMU's caches and the ATC and the TLB under ASID 1");
  // Another device with the number tells whose it is now.
  expect(entries.cached(1, 1)).toBe(2);
  bindSmmu(entries, 1, 0);
  expect(entries.cached(1, 1) & 1).toBe(1);
});

test('SMMU: the queue goes round', () => {
  const entries = hardware('smmu');
  const sync = encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC });
  const ends = Array.from({ length: 40 }, () => {
    const end = entries.cds?.issue([sync]) ?? 0;
    entries.cds?.completed(end);
    return end;
  });
  expect(ends.slice(30, 34)).toEqual([31, 0, 1, 2]);
});

test.each(['vtd', 'smmu'] as const)('%s: an entry is not written, nor flushed, at once', (table) => {
  const entries = hardware(table);
  expect(() => entries.writeEntry(0, 1, 0)).toThrow();
  expect(() => entries.flush(0, 1)).toThrow();
});
