import { expect, test } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import { invalidationOf } from '../cpu/maintenance.ts';
import { DvmBus, type DvmReceiver } from './bus.ts';
import { SLOTS } from './outstanding.ts';

/** Writes down what it hears. */
function listener(heard: string[], name: string): DvmReceiver {
  return {
    invalidate: ({ vmid }, slot) => heard.push(`${name}: VMID ${vmid} in ${slot}`),
    complete: (mask) => heard.push(`${name}: ${mask} done`),
  };
}

const GUEST = invalidationOf({ kind: 'VMALLS12E1', vmid: 7 });

test('broadcasts reach every TLB and every receiver, local TLBIs the TLBs of their CPU', () => {
  const heard: string[] = [];
  const tlbs = [0, 1].map((cpu) => ({ cpus: [cpu], ...listener(heard, `CPU${cpu}`) }));
  const bus = new DvmBus(new Store(), 2, tlbs, [listener(heard, 'SMMU')]);
  bus.invalidate(0, GUEST, true);
  expect(heard.splice(0)).toEqual(['CPU0: VMID 7 in 0', 'CPU1: VMID 7 in 0', 'SMMU: VMID 7 in 0']);
  bus.invalidate(1, GUEST, false);
  expect(heard.splice(0)).toEqual(['CPU1: VMID 7 in 6']);
  bus.complete(1, true);
  expect(heard.splice(0)).toEqual(['CPU0: 64 done', 'CPU1: 64 done', 'SMMU: 64 done']);
  bus.complete(0, false);
  expect(heard).toEqual([]);
  bus.complete(0, true);
  expect(heard).toEqual(['CPU0: 1 done', 'CPU1: 1 done', 'SMMU: 1 done']);
});

test('a local TLBI reaches a TLB that CPUs share once', () => {
  const heard: string[] = [];
  const bus = new DvmBus(new Store(), 2, [{ cpus: [0, 1], ...listener(heard, 'both') }], []);
  bus.invalidate(1, GUEST, false);
  expect(heard).toEqual(['both: VMID 7 in 6']);
});

test('with too many TLBIs and no DSB, one completes early', () => {
  const heard: string[] = [];
  const bus = new DvmBus(new Store(), 1, [], [listener(heard, 'SMMU')]);
  for (let vmid = 0; vmid <= SLOTS; vmid++) bus.invalidate(0, invalidationOf({ kind: 'VMALLE1', vmid }), true);
  expect(heard.slice(SLOTS)).toEqual(['SMMU: 1 done', `SMMU: VMID ${SLOTS} in 0`]);
});
