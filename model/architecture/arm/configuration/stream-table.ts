import type { ConfigCache, ConfigPointer } from './config-cache.ts';
import type { ConfigGraph, ConfigPlace, MixContent } from './config-graph.ts';
import type { ConfigTarget } from '../commands/invalidation.ts';
import type { StreamTableRegisters } from '../registers.ts';
import { alignDown } from './align.ts';
import { steFromL1 } from './stream-entry.ts';

/** The stream table, linear or two-level (IHI 0070 §3.3.1, §5.1): from a StreamID to the addresses of its STE. */
export class StreamTable {
  readonly #graph: ConfigGraph;
  readonly #cache: ConfigCache;

  constructor(graph: ConfigGraph, cache: ConfigCache) {
    this.#graph = graph;
    this.#cache = cache;
  }

  /** The L1STDs ever found for a StreamID. */
  l1Of(streamId: number): ConfigPlace[] {
    const { l1Tables } = this.#graph;
    return l1Tables.length === 0 ? [] : l1Tables.filter((place) => inSpan(place, streamId));
  }

  /** Follows the table for a StreamID, reads the L1STD on the way, and returns the pointers to its STE. */
  follow(streamId: number, registers: StreamTableRegisters): ConfigPointer[] {
    const { twoLevel, log2Size, enabled } = registers;
    const inTable = enabled && streamId < 2 ** log2Size;
    const target: ConfigTarget = { kind: 'STE', streamId, streams: 1, substream: 0, substreams: 1 };
    const l1Pointers: ConfigPointer[] = [];
    const pointers: ConfigPointer[] = [];
    if (inTable && twoLevel) l1Pointers.push(l1Pointer(streamId, registers));
    if (inTable && !twoLevel) {
      const base = alignDown(registers.base, 64 * 2 ** log2Size);
      pointers.push({ target, address: base + 64 * streamId, state: 1, from: undefined });
    }
    for (const { target: l1Target, address } of l1Pointers) this.#graph.place(l1Target, address);
    const l1Places = this.l1Of(streamId);
    this.#cache.reach(l1Places, l1Pointers);
    if (!enabled) return pointers;
    // A cached L1STD may be used even after the registers have changed (§3.21.3).
    for (const place of l1Places)
      for (const { content, state } of this.#cache.mixes(place)) {
        const address = steOf(content, place, streamId);
        if (address !== undefined) pointers.push({ target, address, state, from: place });
      }
    return pointers;
  }

  /** Whether a lookup may end with C_BAD_STREAMID (§7.3.3). */
  badStreamId(streamId: number, { log2Size }: StreamTableRegisters): boolean {
    if (streamId >= 2 ** log2Size) return true;
    if (this.#graph.l1Tables.length === 0) return false;
    return this.l1Of(streamId).some((place) =>
      this.#cache.mixes(place).some(({ content }) => steOf(content, place, streamId) === undefined),
    );
  }
}

/** From the registers to the L1STD of a StreamID: the table is aligned to its size, at least 64 bytes (§6.3.24). */
function l1Pointer(streamId: number, { base, log2Size, split }: StreamTableRegisters): ConfigPointer {
  const index = Math.floor(streamId / 2 ** split);
  const entries = 2 ** Math.max(0, log2Size - split);
  const target = { streamId: index * 2 ** split, streams: 2 ** split, substream: 0, substreams: 1 };
  const address = alignDown(base, Math.max(64, 8 * entries)) + 8 * index;
  return { target: { kind: 'L1STD', ...target }, address, state: 1, from: undefined };
}

function steOf({ lanes }: MixContent, place: ConfigPlace, streamId: number): number | undefined {
  return steFromL1(lanes[0] as number, lanes[1] as number, streamId, Math.log2(place.streams));
}

function inSpan(place: ConfigPlace, streamId: number): boolean {
  return streamId >= place.streamId && streamId < place.streamId + place.streams;
}
