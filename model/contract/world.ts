import type { TagKind } from './events.ts';

/** Size of a page of the universe in bytes; the contract knows no other unit. */
export const PAGE_SIZE = 4096;

/** What the contract watches. Events about anything else are refused (streams, spaces) or ignored (other pages). */
export interface ContractWorld {
  /** The (stream, substream) pairs that can make accesses; an index into this list is a "stream index". */
  readonly streams: readonly { readonly stream: number; readonly substream: number }[];
  /** Number of address spaces; a space is 0 … spaces-1. */
  readonly spaces: number;
  /** The iova of each page of the universe, a multiple of 4096; an index into this list is a "page index". */
  readonly pages: readonly number[];
  /** Tags (ASIDs) are 0 … tags-1; 64 if not given. */
  readonly tags?: number;
  /** VMIDs are 0 … vmids-1; none if not given. */
  readonly vmids?: number;
  /**
   * Spaces whose mappings lead to addresses of another space, their parent (stage 1 of a guest on stage 2 of its
   * hypervisor). A stream that is attached to one translates by both.
   */
  readonly nested?: readonly { readonly space: number; readonly parent: number }[];
  /**
   * Names of the caches whose entries carry tags ("CPU TLBs", "SMMU"), where several allocators give them out; one if not
   * given. A tag stands for one space, or spaces of one machine, in each.
   */
  readonly caches?: readonly string[];
  /** Kinds of tags whose allocators promise that no number is used in two caches for spaces that are not related. */
  readonly disjoint?: readonly TagKind[];
  /** Groups of spaces that belong to one virtual machine: they may have one VMID on purpose. */
  readonly machines?: readonly (readonly number[])[];
}

/** True if two spaces are one, or belong to one virtual machine. */
export function related({ machines = [] }: ContractWorld, one: number, other: number): boolean {
  return one === other || machines.some((spaces) => spaces.includes(one) && spaces.includes(other));
}

/** The space that the mappings of a space lead into, -1 if they lead to physical memory. */
export function parentOf({ nested = [] }: ContractWorld, space: number): number {
  for (let at = 0; at < nested.length; at++) {
    const pair = nested[at];
    if (pair?.space === space) return pair.parent;
  }
  return -1;
}

/** Index of a (stream, substream) in the world. */
export function streamIndex(world: ContractWorld, stream: number, substream: number): number {
  const { streams } = world;
  for (let index = 0; index < streams.length; index++) {
    const candidate = streams[index];
    if (candidate?.stream === stream && candidate.substream === substream) return index;
  }
  throw new Error(`stream ${stream}, substream ${substream} is not of this world`);
}

/** Refuses a number that is no space of the world. */
export function checkSpace(world: ContractWorld, space: number): void {
  if (!Number.isInteger(space) || space < 0 || space >= world.spaces)
    throw new Error(`space ${space} is not of this world, which has ${world.spaces}`);
}
