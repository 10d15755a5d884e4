import { fc } from '@fast-check/vitest';
import { AT, cdLanes, cfgi, leafLanes, SYNC, TestWorld, tlbi } from './world.ts';
import type { Slot } from '../universe.ts';

/** Random programs for the model's own tests: two streams, three pages, six tables, whatever software might do to them. */
export const PAGES = [0x1000, 0x2000, 0x20_1000] as const;
export const STREAMS = [1, 2] as const;

/** One thing that software does. */
export interface Operation {
  apply(world: TestWorld, tables: readonly number[]): void;
  /** Commands that it submits; a CMD_SYNC is also waited for. */
  readonly submits: readonly number[][];
}

/** The world in which programs run, enabled; tables 0 and 1 are of level 2, the others of level 3. */
export function programWorld(): { world: TestWorld; tables: number[]; slots: Slot[] } {
  const slots = STREAMS.flatMap((streamId) => PAGES.map((va) => ({ streamId, substream: -1, va })));
  const world = new TestWorld(slots);
  const tables = Array.from({ length: 6 }, () => world.table());
  for (const va of PAGES) world.link(tables[0] as number, va, 2, tables[va > 0x10_0000 ? 3 : 2]);
  for (const streamId of STREAMS) {
    world.cd(streamId, { ASID: 5, T0SZ: 34, TTB0: tables[0] as number });
    world.ste(streamId);
  }
  world.enable();
  return { world, tables, slots };
}

const page = fc.constantFrom(...PAGES);
const stream = fc.constantFrom(...STREAMS);
const asid = fc.constantFrom(5, 6);

function does(apply: Operation['apply']): Operation {
  return { apply, submits: [] };
}

function submit(lanes: number[]): Operation {
  return { apply: (world) => world.issue(lanes), submits: [lanes] };
}

const mapping = fc
  .tuple(page, fc.nat(3), fc.nat(7), fc.boolean())
  .map(([va, table, number, global]) =>
    does((world, tables) =>
      world.map(
        tables[table + 2] as number,
        va,
        number === 0 ? undefined : 0x40_0000 + number * 0x1000,
        global ? { nG: 0 } : {},
      ),
    ),
  );

const linking = fc
  .tuple(page, fc.nat(1), fc.nat(4))
  .map(([va, top, next]) =>
    does((world, tables) => world.link(tables[top] as number, va, 2, next === 4 ? undefined : tables[next + 2])),
  );

const block = fc
  .tuple(page, fc.nat(1))
  .map(([va, top]) =>
    does((world, tables) => world.write(world.entry(tables[top] as number, va, 2), leafLanes(0x60_0000, {}, 2))),
  );

const cdWord = fc.tuple(stream, asid, fc.nat(1), fc.nat(2)).map(([streamId, ASID, top, word]) =>
  does((world, tables) => {
    const lanes = cdLanes({ ASID, T0SZ: 34, TTB0: tables[top] as number });
    world.write(AT.cds + 0x1000 * streamId + 8 * word, lanes.slice(2 * word, 2 * word + 2));
  }),
);

const byAddress = fc
  .tuple(page, asid, fc.nat(1), fc.nat(1))
  .map(([Address, ASID, Leaf, VMID]) => submit(tlbi('TLBI_NH_VA', { Address, ASID, Leaf, VMID })));

/** One operation. */
export const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: mapping },
  { weight: 3, arbitrary: linking },
  block,
  cdWord,
  stream.map((streamId) => does((world) => world.clearCd(streamId))),
  fc.tuple(stream, fc.nat(1)).map(([streamId, S2VMID]) => does((world) => world.ste(streamId, { S2VMID }))),
  { weight: 3, arbitrary: byAddress },
  fc.tuple(asid, fc.nat(1)).map(([ASID, VMID]) => submit(tlbi('TLBI_NH_ASID', { ASID, VMID }))),
  fc.nat(1).map((VMID) => submit(tlbi('TLBI_NH_ALL', { VMID }))),
  page.map((Address) => submit(tlbi('TLBI_NH_VA', { Address, ASID: 5, TG: 1, Num: 1, TTL: 3 }))),
  stream.map((StreamID) => submit(cfgi('CFGI_CD', { StreamID, Leaf: 1 }))),
  stream.map((StreamID) => submit(cfgi('CFGI_STE', { StreamID, Leaf: 1 }))),
  { weight: 3, arbitrary: fc.constant({ apply: (world: TestWorld) => world.sync(), submits: [SYNC] }) },
);

/** A program. */
export const operations = fc.array(operation, { minLength: 5, maxLength: 60 });
