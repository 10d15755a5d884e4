import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { decodeCommand, type TlbInvalidation } from './commands/invalidation.ts';
import { invalidationOf, type TlbMaintenance } from './cpu/maintenance.ts';
import { DvmBus } from './dvm/bus.ts';
import { FULL_FEATURES } from './layout/features.ts';
import { Copies, type Descriptor } from './testing/copies.ts';
import { SYNC, TestWorld, tlbi } from './testing/world.ts';

/** Two pages that one table of level 3 serves. */
const PAGES = [0x1000, 0x2000] as const;

interface System {
  readonly world: TestWorld;
  /** Two tables of level 2 and two of level 3. */
  readonly tables: readonly number[];
  readonly bus: DvmBus;
  readonly copies: Copies;
}

type Operation = (system: System) => void;

const va = fc.constantFrom(...PAGES);
const asid = fc.constantFrom(5, 6);
const which = fc.nat(1);

const map = fc.tuple(va, which, fc.nat(2), fc.boolean()).map(([at, table, to, global]): Operation => (system) => {
  const pa = to === 0 ? undefined : 0x40_0000 + 0x1000 * to;
  system.world.map(system.tables[2 + table] as number, at, pa, global ? { nG: 0 } : {});
  system.copies.settle();
});

const link = fc.tuple(which, fc.nat(2)).map(([top, next]): Operation => (system) => {
  const { world, tables, copies } = system;
  world.link(tables[top] as number, PAGES[0], 2, next === 2 ? undefined : tables[2 + next]);
  copies.settle();
});

const command = fc
  .oneof(
    fc.tuple(va, asid, which).map(([Address, ASID, Leaf]) => tlbi('TLBI_NH_VA', { Address, ASID, Leaf })),
    asid.map((ASID) => tlbi('TLBI_NH_ASID', { ASID })),
    va.map((Address) => tlbi('TLBI_NH_VAA', { Address })),
    fc.constant(tlbi('TLBI_NH_ALL')),
  )
  .map((lanes): Operation => ({ world, copies }) => {
    const decoded = decodeCommand(FULL_FEATURES, lanes);
    world.issue(lanes);
    if (decoded.kind === 'tlb') copies.begin(decoded, 'queue');
  });

const sync = fc.constant<Operation>(({ world, copies }) => {
  world.issue(SYNC);
  world.complete();
  copies.complete('queue');
});

const maintenance: fc.Arbitrary<TlbMaintenance> = fc.oneof(
  fc.record({ kind: fc.constantFrom('VAE1', 'VALE1'), asid, va }),
  fc.record({ kind: fc.constantFrom('VAAE1', 'VAALE1'), va }),
  fc.record({ kind: fc.constant('ASIDE1'), asid }),
  fc.record({ kind: fc.constant('VMALLE1') }),
);

const broadcast = fc.tuple(which, maintenance).map(([cpu, what]): Operation => ({ bus, copies }) => {
  const invalidation = invalidationOf(what);
  bus.invalidate(cpu, invalidation, true);
  copies.begin(invalidation, cpu);
});

const dsb = which.map((cpu): Operation => ({ bus, copies }) => {
  bus.complete(cpu, true);
  copies.complete(cpu);
});

const operation = fc.oneof(
  { weight: 4, arbitrary: map },
  { weight: 4, arbitrary: link },
  { weight: 3, arbitrary: command },
  { weight: 1, arbitrary: sync },
  { weight: 4, arbitrary: broadcast },
  { weight: 2, arbitrary: dsb },
);

/** Streams 1 and 2 with the same ASID in the two sets, stream 3 with another one; the first has tables of its own. */
const STREAMS = [
  { streamId: 1, asid: 5, aset: 0, top: 0 },
  { streamId: 2, asid: 5, aset: 1, top: 1 },
  { streamId: 3, asid: 6, aset: 0, top: 1 },
] as const;

function makeSystem(): System {
  const slots = STREAMS.flatMap(({ streamId }) => PAGES.map((at) => ({ streamId, substream: -1, va: at })));
  const world = new TestWorld(slots, { btm: true, bbml: 2 }, { entries: 1 << 12 });
  const tables = Array.from({ length: 4 }, () => world.table());
  for (const { streamId, asid: ASID, aset: ASET, top } of STREAMS) {
    world.cd(streamId, { ASID, ASET, T0SZ: 34, TTB0: tables[top] as number });
    world.ste(streamId);
  }
  world.enable();
  const contexts = STREAMS.map((stream) => ({ ...stream, top: tables[stream.top] as number }));
  const { memory } = world;
  const read = (pa: number): Descriptor => {
    const low = memory.low(pa);
    if ((low & 1) === 0) return { kind: 'none' };
    const top = pa < (tables[2] as number);
    return { kind: top ? 'table' : 'leaf', to: low & 0xffff_f000, global: !top && (low & 0x800) === 0 };
  };
  return {
    world,
    tables,
    bus: new DvmBus(world.store, 2, [], [world.smmu.dvm]),
    copies: new Copies(contexts, PAGES, read),
  };
}

describe('what is held', () => {
  test.prop([fc.array(operation, { minLength: 3, maxLength: 14 })], { numRuns: 150 })(
    'is what was read, reading by reading, in every mixture of commands and broadcasts',
    (program) => {
      const system = makeSystem();
      for (const apply of program) {
        apply(system);
        for (const { naive, permitted } of compare(system)) {
          // What must have gone is never held.
          expect(naive).toEqual(expect.arrayContaining(permitted));
          // What may be held is, unless one state cannot say in which ways it goes.
          if (!system.copies.undecided) expect(permitted).toEqual(naive);
        }
      }
    },
  );

  test('is less where two readings of an entry go with invalidations that no order connects', () => {
    const system = makeSystem();
    const { world, tables, copies, bus } = system;
    const [first, second, pages] = tables as [number, number, number];
    const PA = 0x40_1000;
    world.link(first, PAGES[0], 2, pages);
    world.link(second, PAGES[0], 2, pages);
    copies.settle();
    // A walk cache that a command dooms, and one that a broadcast dooms, lead to one table. Then both are used.
    world.link(second, PAGES[0], 2);
    copies.settle();
    const lanes = tlbi('TLBI_NH_VAA', { Address: PAGES[0] });
    world.issue(lanes);
    copies.begin(decodeCommand(FULL_FEATURES, lanes) as TlbInvalidation, 'queue');
    world.link(first, PAGES[0], 2);
    copies.settle();
    const invalidation = invalidationOf({ kind: 'VAE1', asid: 5, va: PAGES[0] });
    bus.invalidate(0, invalidation, true);
    copies.begin(invalidation, 0);
    world.map(pages, PAGES[0], PA, { nG: 0 });
    copies.settle();
    world.map(pages, PAGES[0]);
    copies.settle();
    const permittedOfFirst = (): readonly string[][] =>
      compare(system)
        .slice(0, 1)
        .map(({ naive, permitted }) => [naive.join(), permitted.join()]);
    const both = permittedOfFirst();
    expect([copies.undecided, both]).toEqual([true, [['f10,→401000', 'f10,→401000']]]);
    bus.complete(0, true);
    copies.complete(0);
    expect(permittedOfFirst()).toEqual([['f10,→401000', 'f10']]);
  });
});

/** What each slot may see by either model. */
function compare({ world, copies, tables }: System): { naive: string[]; permitted: string[] }[] {
  return STREAMS.flatMap(({ asid: of, aset, top }, at) =>
    PAGES.map((page, offset) => {
      const outcomes = copies.outcomes({ asid: of, aset, top: tables[top] as number }, page);
      const naive = outcomes.map((pa) => (pa === 0 ? 'f10' : `→${pa.toString(16)}`)).sort();
      return { naive, permitted: world.see(at * PAGES.length + offset) };
    }),
  );
}
