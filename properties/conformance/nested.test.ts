/** Nested translation by QEMU against two plain walks. Skipped where there is no QEMU, except in CI. */
import { describe, expect, test } from 'vitest';
import { findQemuArm } from '../../impl/qemu/index.ts';
import { levelShift } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration } from './configuration.ts';
import { storesOf } from './effects.ts';
import { programOfSeed } from './generate.ts';
import { SparseMemory } from './memory.ts';
import type { Operation } from './operation.ts';
import { QemuDevice } from './qemu-device.ts';
import { plainWalk } from './testing/plain-walk.ts';
import { accessOffset, inputAddress, isRocker, ramBase, ramBytes, steAddress, streamIdOf } from './world.ts';

const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);

/** What may refuse an access that a plain walk lets through. */
const plain = new Set(['permissions', 'privileged', 'access-flag', 'address-size', 's2-permissions', 's2-access-flag']);

/**
 * What QEMU is known to get wrong (docs/qemu-deviations.md): concatenated root tables, and stage 1 tables that are larger
 * than a page of stage 2.
 */
const troubles = ({ guests = [], trees }: ConformanceConfiguration): boolean =>
  guests.some(({ granule, inputBits, startLevel }) => {
    if (inputBits > levelShift(granule, startLevel - 1)) return true;
    return trees.some((tree) => tree.guest === true && tree.granule > granule);
  });

/** Programs of guests in which every mapping is good for every access, up to the point where translation is on. */
const prologues = (count: number) => {
  const found = [];
  for (let seed = 0; found.length < count; seed++) {
    const program = programOfSeed(seed);
    const { configuration, features } = program;
    const limited = features.some(
      (name) => plain.has(name) || name === 's2-address-size' || name === 'short-stream-table',
    );
    if (configuration.guests === undefined || limited || troubles(configuration)) continue;
    const operations = program.operations.slice(
      0,
      program.operations.findIndex(({ kind }) => kind === 'enable'),
    );
    found.push({ configuration, operations });
  }
  return found;
};

live('QEMU', () => {
  test('translates valid nested configurations as two plain walks do', async () => {
    const device = await QemuDevice.start();
    let reached = 0;
    let refused = 0;
    try {
      for (const program of prologues(150)) {
        const { configuration, operations } = program;
        const memory = new SparseMemory(ramBase, ramBytes);
        await device.begin(program, false);
        for (const operation of operations as Operation[])
          for (const { pa, low, high } of storesOf(configuration, operation)) {
            memory.store(pa, low, high);
            device.store(pa, low, high);
          }
        await device.enable(true);
        for (const index of configuration.devices.filter(isRocker))
          for (const page of configuration.pages.keys()) {
            const address = inputAddress(configuration, { page, half: 0 });
            const input = address.high * 2 ** 32 + address.low;
            const pa = plainWalk(memory, steAddress(index), input);
            const { write } = await device.access(index, 'write', address, pa === undefined ? [] : [pa]);
            const name = `StreamID ${streamIdOf(index)}, page ${page} of ${JSON.stringify(configuration)}`;
            if (pa === undefined || !memory.present(pa)) expect(write, name).toEqual({ kind: 'refused' });
            else expect(write, name).toEqual({ kind: 'memory', pa });
            if (pa === undefined) refused++;
            else {
              expect(pa % 4096).toBe(accessOffset);
              reached++;
            }
          }
      }
    } finally {
      await device.stop();
    }
    expect(reached).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(10);
  });
});
