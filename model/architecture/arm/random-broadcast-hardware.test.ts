import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { invalidationOf, type TlbMaintenance } from './cpu/maintenance.ts';
import { DvmBus } from './dvm/bus.ts';
import { letters, NestedHardware } from './testing/nested-hardware.ts';
import {
  CD_AT,
  nestedOperation,
  nestedProgramWorld,
  PAGES,
  type NestedOperation,
  type NestedProgramWorld,
} from './testing/nested-programs.ts';
import { cdLanes, cfgi, SYNC } from './testing/world.ts';
import type { Slot } from './universe.ts';

/** What a program does besides, and to what: the bus of two CPUs, the model and the hardware. */
interface System {
  readonly made: NestedProgramWorld;
  readonly bus: DvmBus;
  readonly hardware: NestedHardware;
}

type Operation = (system: System) => void;

function queued({ apply, submits }: NestedOperation): Operation {
  return ({ made, hardware }) => {
    apply(made);
    for (const command of submits) hardware.submit(command);
    if (submits[0] === SYNC) hardware.finish();
  };
}

const cpu = fc.nat(1);
const va = fc.constantFrom(...PAGES);
const asid = fc.constantFrom(5, 6);
const vmid = fc.constant(1);
const ipa = fc.constantFrom(0x6000, 0x7000, CD_AT, 0x10_0000, 0x11_0000, 0x12_0000);

const maintenance: fc.Arbitrary<TlbMaintenance> = fc.oneof(
  fc.record({ kind: fc.constantFrom('VAE1', 'VALE1'), vmid, asid, va }),
  fc.record({ kind: fc.constantFrom('VAAE1', 'VAALE1'), vmid, va }),
  fc.record({ kind: fc.constant('ASIDE1'), vmid, asid }),
  fc.record({ kind: fc.constantFrom('VMALLE1', 'VMALLS12E1'), vmid }),
  fc.record({ kind: fc.constant('ALLE1') }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('IPAS2E1', 'IPAS2LE1'), vmid, ipa }) },
);

const tlbi = fc.tuple(cpu, maintenance).map(([by, what]): Operation => {
  const invalidation = invalidationOf(what);
  return ({ bus, hardware }) => {
    bus.invalidate(by, invalidation, true);
    hardware.broadcast(by, invalidation);
  };
});

const dsb = cpu.map((by): Operation => ({ bus, hardware }) => {
  bus.complete(by, true);
  hardware.synchronize(by);
});

/** The CD is replaced, and the hardware is sure to use the new one: ASET and ASID may differ. */
const replaceCd = fc.tuple(asid, fc.nat(1)).map(([ASID, ASET]): Operation => (system) => {
  const { world, tables } = system.made;
  world.structure(CD_AT, cdLanes({ ASID, ASET, TTB0: tables[0] as number }));
  const command = cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 });
  world.issue(command);
  system.hardware.submit(command);
});

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: nestedOperation.map(queued) },
  { weight: 4, arbitrary: tlbi },
  { weight: 2, arbitrary: dsb },
  { weight: 1, arbitrary: replaceCd },
);

describe('whatever hardware that takes part in broadcasts does', () => {
  test.prop([fc.array(operation, { minLength: 5, maxLength: 50 }), fc.infiniteStream(fc.nat(0xffff))], {
    numRuns: 100,
  })('is permitted', (program, choices) => {
    const made = nestedProgramWorld({ btm: true });
    const { world, slots } = made;
    const next = (below: number): number => (choices.next().value as number) % below;
    const bus = new DvmBus(world.store, 2, [], [world.smmu.dvm]);
    const system = { made, bus, hardware: new NestedHardware(world, next) };
    for (const apply of program) {
      apply(system);
      for (let choice = 0; choice < 6; choice++) system.hardware.wander(PAGES);
      const slot = next(slots.length);
      const { streamId, va: address } = slots[slot] as Slot;
      expect(world.smmu.outcomes(slot).map(letters)).toContain(system.hardware.access(streamId, address));
    }
  });
});
