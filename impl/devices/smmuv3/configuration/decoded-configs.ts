import { refusal, type StreamConfig } from './stream-config.ts';

/**
 * The configurations used last, decoded: what stands in front of the configuration cache. Every change of what that cache
 * or the registers hold makes all of them void, so it needs no invalidation of its own.
 */
export class DecodedConfigs {
  readonly #shift: number;
  readonly #streamIds: Int32Array;
  readonly #substreams: Int32Array;
  readonly #epochs: Float64Array;
  readonly #configs: StreamConfig[];

  /** @param entries a power of two. */
  constructor(entries: number) {
    if (entries < 2 || (entries & (entries - 1)) !== 0)
      throw new RangeError(`${entries} entries are not a power of two`);
    this.#shift = Math.clz32(entries) + 1;
    this.#streamIds = new Int32Array(entries);
    this.#substreams = new Int32Array(entries);
    this.#epochs = new Float64Array(entries).fill(-1);
    const none = refusal(0);
    this.#configs = Array.from({ length: entries }, () => none);
  }

  /** The slot with a configuration of some epoch, or -1. */
  find(streamId: number, substream: number, epoch: number): number {
    const slot = this.#slot(streamId, substream);
    const found =
      this.#epochs[slot] === epoch && this.#streamIds[slot] === (streamId | 0) && this.#substreams[slot] === substream;
    return found ? slot : -1;
  }

  /** What is in a slot. */
  at(slot: number): StreamConfig {
    return this.#configs[slot] as StreamConfig;
  }

  keep(streamId: number, substream: number, epoch: number, config: StreamConfig): void {
    const slot = this.#slot(streamId, substream);
    this.#epochs[slot] = epoch;
    this.#streamIds[slot] = streamId;
    this.#substreams[slot] = substream;
    this.#configs[slot] = config;
  }

  /** Fibonacci hashing: streams and substreams side by side get slots far apart. */
  #slot(streamId: number, substream: number): number {
    return Math.imul(streamId + Math.imul(substream, 0x85ebca6b), 0x9e3779b1) >>> this.#shift;
  }
}
