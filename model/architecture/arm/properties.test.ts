import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { COMMAND_CFGI_STE_RANGE, OPCODE } from './layout/command.ts';
import { encode } from './layout/layout.ts';
import { operation, operations, programWorld } from './testing/programs.ts';
import { AT, shortly, tlbi, type TestWorld } from './testing/world.ts';

const RUNS = { numRuns: 60 };
const CFGI_ALL = encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: 31 });

function everything(world: TestWorld): string[][] {
  return world.smmu.universe.slots.map((_slot, index) => world.see(index));
}

/** Drops all that is held: configuration first, so that nothing is made again from what is stale. */
function flush(world: TestWorld): void {
  world.sync(CFGI_ALL);
  world.sync(tlbi('TLBI_NSNH_ALL'));
}

/** What a fresh SMMU would do with the same memory. */
function fresh(world: TestWorld, tables: readonly number[]): string[][] {
  const other = programWorld().world;
  other.enable(false);
  for (const page of [AT.streamTable, AT.cds + 0x1000, AT.cds + 0x2000, ...tables])
    for (let pa = page; pa < page + 4096; pa += 8) {
      const low = world.memory.low(pa);
      const high = world.memory.high(pa);
      if (low !== other.memory.low(pa) || high !== other.memory.high(pa)) other.word(pa, low, high);
    }
  other.enable();
  flush(other);
  return everything(other);
}

describe('the saturated model', () => {
  test.prop([operations], RUNS)('always permits what memory says now', (program) => {
    const { world, tables } = programWorld();
    for (const { apply } of program) apply(world, tables);
    const now = fresh(world, tables);
    for (const [slot, seen] of everything(world).entries())
      expect(seen).toEqual(expect.arrayContaining(now[slot] ?? []));
  });

  test.prop([operations], RUNS)('permits nothing else once everything has been invalidated', (program) => {
    const { world, tables } = programWorld();
    for (const { apply } of program) apply(world, tables);
    flush(world);
    expect(everything(world)).toEqual(fresh(world, tables));
    // Where two streams have one ASID and different tables, either may serve the other.
    const roots = [1, 2].map((streamId) => world.memory.low(AT.cds + 0x1000 * streamId + 8));
    if (roots[0] === roots[1]) for (const seen of everything(world)) expect(seen).toHaveLength(1);
  });

  test.prop([operations, operations], RUNS)('steps back exactly', (first, second) => {
    const { world, tables } = programWorld();
    for (const { apply } of first) apply(world, tables);
    const before = { seen: everything(world), prod: world.prod, mark: world.store.mark() };
    const cells = world.store.cells.slice();
    for (const { apply } of second) apply(world, tables);
    world.store.rollback(before.mark);
    world.prod = before.prod;
    expect(everything(world)).toEqual(before.seen);
    expect(Buffer.compare(Buffer.from(world.store.cells.buffer), Buffer.from(cells.buffer))).toBe(0);
  });

  test.prop([operations, operations], RUNS)('does not depend on what has been explored before', (explored, program) => {
    const { world, tables } = programWorld();
    const mark = world.store.mark();
    for (const { apply } of explored) apply(world, tables);
    world.store.rollback(mark);
    world.prod = 0;
    const other = programWorld();
    for (const { apply } of program) {
      apply(world, tables);
      apply(other.world, other.tables);
      expect(everything(world)).toEqual(everything(other.world));
    }
  });

  test.prop([operations, operation], RUNS)(
    'only gains by a write, and only loses by completion',
    (program, { apply, submits }) => {
      const { world, tables } = programWorld();
      for (const one of program) one.apply(world, tables);
      const before = world.smmu.universe.slots.map((_slot, index) => new Set(translations(world, index)));
      apply(world, tables);
      const waited = submits.length > 0 && (submits[0]?.[0] ?? 0) === OPCODE.SYNC;
      for (const [index, old] of before.entries()) {
        const now = new Set(translations(world, index));
        if (waited) expect([...now].filter((one) => !old.has(one))).toEqual([]);
        else expect([...old].filter((one) => !now.has(one))).toEqual([]);
      }
    },
  );

  test.prop([operations], RUNS)('tells which slots have changed', (program) => {
    const { world, tables } = programWorld();
    world.smmu.takeDirtySlots();
    let before = everything(world);
    for (const { apply } of program) {
      apply(world, tables);
      const after = everything(world);
      const dirty = world.smmu.takeDirtySlots();
      for (const [slot, seen] of after.entries())
        if (seen.join() !== before[slot]?.join()) expect(dirty).toContain(slot);
      before = after;
    }
  });

  test.prop([operations, fc.nat(5)], RUNS)('explains each outcome', (program, slot) => {
    const { world, tables } = programWorld();
    for (const { apply } of program) apply(world, tables);
    for (const outcome of world.smmu.outcomes(slot))
      expect(world.smmu.explain(slot, outcome), shortly(outcome)).not.toEqual([]);
  });
});

function translations(world: TestWorld, slot: number): string[] {
  return world.smmu
    .outcomes(slot)
    .filter(({ kind }) => kind === 'translation')
    .map(shortly);
}
