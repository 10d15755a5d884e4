import { test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { COMMAND_CFGI_STE_RANGE, OPCODE } from './layout/command.ts';
import { encode } from './layout/layout.ts';
import {
  nestedOperation,
  nestedOperations,
  nestedProgramWorld,
  type NestedProgramWorld,
} from './testing/nested-programs.ts';
import { SYNC, tlbi, type TestWorld } from './testing/world.ts';

const RUNS = { numRuns: 20 };
const MEMORY_BYTES = 0x20_0000;
const CFGI_ALL = encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: 31 });

function everything({ smmu }: TestWorld): object[][] {
  return smmu.universe.slots.map((_slot, index) =>
    smmu
      .outcomes(index)
      .map(({ id: _id, ...content }) => content)
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  );
}

/** Drops all that is held: what was read through what was held in between goes with the second round. */
function flush(world: TestWorld): void {
  for (let round = 0; round < 2; round++) {
    world.sync(CFGI_ALL);
    world.sync(tlbi('TLBI_NSNH_ALL'));
  }
}

/** What a fresh SMMU would do with the same memory. */
function fresh({ world }: NestedProgramWorld): object[][] {
  const other = nestedProgramWorld().world;
  other.enable(false);
  for (let pa = 0; pa < MEMORY_BYTES; pa += 8) {
    const low = world.memory.low(pa);
    const high = world.memory.high(pa);
    if (low !== other.memory.low(pa) || high !== other.memory.high(pa)) other.word(pa, low, high);
  }
  other.enable();
  flush(other);
  return everything(other);
}

function hasContiguous({ world: { memory } }: NestedProgramWorld): boolean {
  for (let pa = 0; pa < MEMORY_BYTES; pa += 8)
    if ((memory.low(pa) & 1) !== 0 && (memory.high(pa) & (1 << 20)) !== 0) return true;
  return false;
}

describe('the saturated model with two stages', () => {
  test.prop([nestedOperations], RUNS)('permits what memory says, and after an invalidation nothing else', (program) => {
    const made = nestedProgramWorld();
    for (const { apply } of program) apply(made);
    const now = fresh(made);
    for (const [slot, seen] of everything(made.world).entries())
      expect(seen).toEqual(expect.arrayContaining(now[slot] ?? []));
    flush(made.world);
    // Stage 2 goes on to be walked for an address that something led to once, which is permitted of any address, and a
    // descriptor with the Contiguous bit there speaks for its whole run: a fresh model may have made fewer such walks.
    const runs = hasContiguous(made);
    for (const [slot, seen] of everything(made.world).entries())
      expect(seen).toEqual(runs ? expect.arrayContaining(now[slot] ?? []) : now[slot]);
  });

  test.prop([nestedOperations, nestedOperations], RUNS)('steps back exactly', (first, second) => {
    const made = nestedProgramWorld();
    const { world } = made;
    for (const { apply } of first) apply(made);
    const before = { seen: everything(world), prod: world.prod, mark: world.store.mark() };
    const cells = world.store.cells.slice();
    for (const { apply } of second) apply(made);
    world.store.rollback(before.mark);
    world.prod = before.prod;
    expect(everything(world)).toEqual(before.seen);
    expect(Buffer.compare(Buffer.from(world.store.cells.buffer), Buffer.from(cells.buffer))).toBe(0);
  });

  test.prop([nestedOperations, nestedOperations], RUNS)(
    'does not depend on what has been explored before',
    (explored, program) => {
      const made = nestedProgramWorld();
      const mark = made.world.store.mark();
      for (const { apply } of explored) apply(made);
      made.world.store.rollback(mark);
      made.world.prod = 0;
      const other = nestedProgramWorld();
      for (const { apply } of program) {
        apply(made);
        apply(other);
        expect(everything(made.world)).toEqual(everything(other.world));
        expect(
          made.world.smmu
            .heldTranslations()
            .map(({ text }) => text)
            .sort(),
        ).toEqual(
          other.world.smmu
            .heldTranslations()
            .map(({ text }) => text)
            .sort(),
        );
      }
    },
  );

  test.prop([nestedOperations, nestedOperation], RUNS)(
    'only gains by a write, and only loses by completion',
    (program, one) => {
      const made = nestedProgramWorld();
      const { world } = made;
      for (const { apply } of program) apply(made);
      const translations = (): string[][] =>
        everything(world).map((seen) => seen.filter((each) => 'pa' in each).map((each) => JSON.stringify(each)));
      const before = translations();
      one.apply(made);
      const waited = one.submits[0] === SYNC;
      for (const [slot, now] of translations().entries()) {
        const old = before[slot] ?? [];
        const [fewer, more] = waited ? [now, old] : [old, now];
        expect(fewer.filter((each) => !more.includes(each))).toEqual([]);
      }
    },
  );

  test.prop([nestedOperations], RUNS)('tells which slots have changed, and explains each outcome', (program) => {
    const made = nestedProgramWorld();
    const { world } = made;
    world.smmu.takeDirtySlots();
    let before = everything(world);
    for (const { apply } of program) {
      apply(made);
      const after = everything(world);
      const dirty = world.smmu.takeDirtySlots();
      for (const [slot, seen] of after.entries())
        if (JSON.stringify(seen) !== JSON.stringify(before[slot])) expect(dirty).toContain(slot);
      before = after;
    }
    for (const slot of world.smmu.universe.slots.keys())
      for (const outcome of world.smmu.outcomes(slot))
        expect(world.smmu.explain(slot, outcome), JSON.stringify(outcome)).not.toEqual([]);
  });
});
