import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { letters, NestedHardware } from './testing/nested-hardware.ts';
import { nestedOperations, nestedProgramWorld } from './testing/nested-programs.ts';
import { SYNC } from './testing/world.ts';
import type { Slot } from './universe.ts';

describe('whatever hardware with two stages does', () => {
  test.prop([nestedOperations, fc.infiniteStream(fc.nat(0xffff))], { numRuns: 100 })(
    'is permitted',
    (program, choices) => {
      const made = nestedProgramWorld();
      const { world, slots } = made;
      const next = (below: number): number => (choices.next().value as number) % below;
      const hardware = new NestedHardware(world, next);
      for (const { apply, submits } of program) {
        apply(made);
        for (const command of submits) hardware.submit(command);
        if (submits[0] === SYNC) hardware.finish();
        for (let choice = 0; choice < 6; choice++) hardware.wander([0x1000, 0x2000]);
        const slot = next(slots.length);
        const { streamId, va } = slots[slot] as Slot;
        expect(world.smmu.outcomes(slot).map(letters)).toContain(hardware.access(streamId, va));
      }
    },
  );
});
