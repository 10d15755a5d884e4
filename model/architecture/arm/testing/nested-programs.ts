import { fc } from '@fast-check/vitest';
import { nest, type StageTwoWorld } from './stage-two.ts';
import { AT, cdLanes, cfgi, SYNC, tlbi } from './world.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import type { Slot } from '../universe.ts';

/** Random programs of software that changes both stages of a nested stream, whatever it may think of that. */
export const PAGES = [0x1000, 0x2000] as const;
/** IPAs of data. */
const DATA = [0x6000, 0x7000, 0x8000] as const;
/** The IPA, and at first the physical address, of the CD of stream 1. */
export const CD_AT = AT.cds + 0x1000;

/** The world in which programs run. */
export interface NestedProgramWorld {
  readonly world: StageTwoWorld;
  /** Physical pages of stage 1 tables: of level 1, of level 2, and three of level 3. */
  readonly tables: readonly number[];
  readonly slots: readonly Slot[];
}

/** One thing that software does. */
export interface NestedOperation {
  apply(made: NestedProgramWorld): void;
  /** Commands that it submits; a CMD_SYNC is also waited for. */
  readonly submits: readonly number[][];
}

/** A nested stream 1, and stream 2 with stage 2 alone and the same VMID, enabled. */
export function nestedProgramWorld(features: Partial<SmmuFeatures> = {}): NestedProgramWorld {
  const extra = [...PAGES, DATA[0]].map((va) => ({ streamId: 2, substream: -1, va }));
  const { world, top, middle, bottom } = nest([...PAGES], {}, features, extra);
  const tables = [top, middle, bottom, world.table(), world.table()];
  world.identity(...tables, ...DATA);
  world.steTwo(2);
  return { world, tables, slots: world.smmu.universe.slots };
}

function does(apply: NestedOperation['apply']): NestedOperation {
  return { apply, submits: [] };
}

function submit(lanes: number[]): NestedOperation {
  return { apply: ({ world }) => world.issue(lanes), submits: [lanes] };
}

const page = fc.constantFrom(...PAGES);
const data = fc.constantFrom(...DATA);

const mapping = fc
  .tuple(page, fc.nat(2), fc.option(data), fc.boolean())
  .map(([va, table, to, global]) =>
    does(({ world, tables }) => world.map(tables[table + 2] as number, va, to ?? undefined, { nG: global ? 0 : 1 })),
  );

const linking = fc
  .option(fc.nat(2))
  .map((next) =>
    does(({ world, tables }) =>
      world.link(tables[1] as number, 0x1000, 2, next === null ? undefined : tables[next + 2]),
    ),
  );

/** Stage 2 of a table page: to itself, to another table, to nothing, or not readable. */
const tableMapping = fc
  .tuple(fc.nat(4), fc.nat(6))
  .map(([from, to]) =>
    does(({ world, tables }) =>
      world.mapIpa(
        tables[from] as number,
        to === 6 ? undefined : tables[to === 5 ? from : to],
        to === 5 ? { S2AP: 2 } : {},
      ),
    ),
  );

const dataMapping = fc
  .tuple(data, fc.option(fc.nat(3)), fc.boolean())
  .map(([ipa, to, Contiguous]) =>
    does(({ world }) =>
      world.mapIpa(ipa, to === null ? undefined : 0x40_0000 + to * 0x1_0000 + ipa, { Contiguous: Contiguous ? 1 : 0 }),
    ),
  );

const blockMapping = fc
  .boolean()
  .map((block) =>
    does(({ world }) => (block ? world.mapIpa(0, 0, {}, 2) : world.link(world.middle, 0, 2, world.pages))),
  );

const cd = fc
  .tuple(fc.boolean(), fc.constantFrom(5, 6))
  .map(([moved, ASID]) =>
    does(({ world, tables }) =>
      world.structure(moved ? AT.cds + 0x5000 : CD_AT, cdLanes({ ASID, TTB0: tables[0] as number })),
    ),
  );

const cdMapping = fc
  .option(fc.boolean())
  .map((moved) =>
    does(({ world }) => world.mapIpa(CD_AT, moved === null ? undefined : moved ? AT.cds + 0x5000 : CD_AT)),
  );

const ipaCommand = fc
  .tuple(
    fc.oneof(
      data,
      fc.constant(CD_AT),
      fc.integer({ min: 0x10, max: 0x14 }).map((at) => at * 0x1_0000),
    ),
    fc.nat(1),
  )
  .map(([Address, Leaf]) => submit(tlbi('TLBI_S2_IPA', { VMID: 1, Address, Leaf })));

const vaCommand = fc
  .tuple(page, fc.constantFrom(5, 6), fc.nat(1))
  .map(([Address, ASID, Leaf]) => submit(tlbi('TLBI_NH_VA', { VMID: 1, Address, ASID, Leaf })));

/** One operation. */
export const nestedOperation: fc.Arbitrary<NestedOperation> = fc.oneof(
  { weight: 4, arbitrary: mapping },
  { weight: 2, arbitrary: linking },
  { weight: 4, arbitrary: tableMapping },
  { weight: 4, arbitrary: dataMapping },
  blockMapping,
  cd,
  cdMapping,
  { weight: 4, arbitrary: ipaCommand },
  { weight: 3, arbitrary: vaCommand },
  fc.constantFrom(5, 6).map((ASID) => submit(tlbi('TLBI_NH_ASID', { VMID: 1, ASID }))),
  fc.constantFrom(1, 2).map((VMID) => submit(tlbi('TLBI_NH_ALL', { VMID }))),
  fc.constantFrom(1, 2).map((VMID) => submit(tlbi('TLBI_S12_VMALL', { VMID }))),
  fc.constant(submit(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }))),
  { weight: 4, arbitrary: fc.constant({ apply: ({ world }: NestedProgramWorld) => world.sync(), submits: [SYNC] }) },
);

/** A program. */
export const nestedOperations = fc.array(nestedOperation, { minLength: 5, maxLength: 40 });
