import {
  AP,
  CD,
  CD_TABLE_L1,
  encode,
  read,
  STAGE1_LEAF,
  STAGE2_LEAF,
  TABLE_DESCRIPTOR,
} from '../../../model/architecture/arm/layout/index.ts';
import { CDS } from './configurations.ts';
import { AT } from './memory-map.ts';

/** The page that devices access. */
export const PAGE = 0x1000;
const FRAME = 0x5000_0000;
const GIGABYTE = 0x4000_0000;
const NORMAL_WRITE_BACK = 15;
const READ_WRITE = 3;
const PAGE_TABLE_BYTES = 0x1000;

/** What writes the words of a structure. */
export interface Memory {
  writeWords(pa: number, lanes: readonly number[]): void;
}

/** Writes all that entries point to: it stays the same for ever. */
export function writeStructures(memory: Memory): void {
  for (const [at, table] of [AT.stage1A, AT.stage1B, AT.stage1P].entries()) writeStageOne(memory, table, at);
  for (const [at, table] of [AT.stage2A, AT.stage2B].entries()) writeStageTwo(memory, table, 3 + at);
  const named = (name: string): readonly number[] => CDS.find((content) => content.name === name)?.lanes ?? [];
  for (const table of [AT.cdsA, AT.l2Cds]) {
    memory.writeWords(table, named('domain'));
    memory.writeWords(table + 64, named('SVA'));
  }
  memory.writeWords(AT.cdsB, named('other domain'));
  memory.writeWords(AT.l1Cds, encode(CD_TABLE_L1, { V: 1, L2Ptr: AT.l2Cds }));
}

/** True if a level 1 context descriptor is valid. */
export function isLinked(lanes: readonly number[]): boolean {
  return read(CD_TABLE_L1.fields.V, lanes) === 1;
}

/**
 * ASID that is to be flushed once a context descriptor has changed, 0 for none: the one that it has no more, or under which
 * nothing may be translated any more (`arm_smmu_mm_release()`: with EPD0 set nothing new is walked, but what was walked
 * stays until it is flushed).
 */
export function tagToFlush(old: readonly number[], now: readonly number[]): number {
  const { V, EPD0, ASID } = CD.fields;
  if (read(V, old) === 0) return 0;
  const asid = read(ASID, old);
  const kept = read(V, now) === 1 && read(EPD0, now) === 0 && read(ASID, now) === asid;
  return kept ? 0 : asid;
}

/** Two levels that map the page to frame `index`. */
function writeStageOne(memory: Memory, table: number, index: number): void {
  const leaves = table + PAGE_TABLE_BYTES;
  memory.writeWords(table, encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: leaves }));
  const leaf = { Valid: 1, Page: 1, AF: 1, nG: 1, AP: AP.ANY_RW, AttrIndx: 2, Address: FRAME + index * PAGE };
  memory.writeWords(leaves + 8, encode(STAGE1_LEAF, leaf));
}

/**
 * Stage 2: the page goes to frame `index` by a level 2 block, and the second gigabyte, in which the structures and frames
 * are, to itself.
 */
function writeStageTwo(memory: Memory, table: number, index: number): void {
  const common = { Valid: 1, AF: 1, MemAttr: NORMAL_WRITE_BACK, S2AP: READ_WRITE, SH: 3 };
  memory.writeWords(table, encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: table + PAGE_TABLE_BYTES }));
  memory.writeWords(table + 8, encode(STAGE2_LEAF, { ...common, Address: GIGABYTE }));
  const block = { ...common, Address: FRAME + index * 0x20_0000 };
  memory.writeWords(table + PAGE_TABLE_BYTES, encode(STAGE2_LEAF, block));
}
