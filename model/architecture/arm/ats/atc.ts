import type { Store } from '../../../../engine/store.ts';
import type { PendingCommands } from '../commands/pending.ts';
import type { HoldTable } from '../holds.ts';
import type { IndexedUniverse, InputAddress, Slot } from '../universe.ts';
import { coversAtc, type AtcInvalidation, type AtcTarget } from './atc-invalidation.ts';

/** A translation that a device may have been given for a slot. Interned. */
export interface AtcEntry extends AtcTarget {
  /** A state of `HoldTable`. */
  readonly cell: number;
  readonly slot: number;
  /** Physical address of the slot's page, or an IPA; -1 for one of which nothing is known. */
  readonly address: number;
  /** Bits of `PERMISSION`. */
  readonly granted: number;
}

/** What the ATCs are made of. */
export interface AtcParts {
  readonly store: Store;
  readonly universe: IndexedUniverse;
  readonly holds: HoldTable;
  readonly pending: PendingCommands;
}

/**
 * The address translation caches of the devices that use ATS, as full as they may be: every translation that a request
 * could have brought since the last completed CMD_ATC_INV that covers it (IHI 0070 §3.9.1). Nothing else removes it: not
 * a TLB invalidation, not a change of configuration, not disabling the SMMU (§3.9.2).
 */
export class Atc {
  readonly #parts: AtcParts;
  /** Entries of each slot, in the order in which they came up; undefined for a slot without ATS. */
  readonly #entries: (AtcEntry[] | undefined)[];
  /** Two flags for each StreamID: ATS is off at the endpoint; the endpoint does not answer invalidations. */
  readonly #flags: number;
  /** Cell: a CMD_ATC_INV since the last CMD_SYNC has not been answered. */
  readonly #timeout: number;

  constructor(parts: AtcParts) {
    this.#parts = parts;
    const { slots, streamIds } = parts.universe;
    this.#entries = slots.map(({ ats }) => (ats === true ? [] : undefined));
    this.#flags = parts.store.reserve(2 * streamIds.length + 1, 'endpoint: ATS off, does not answer');
    this.#timeout = this.#flags + 2 * streamIds.length;
  }

  /** Whether the device uses ATS for a slot. */
  serves(slot: number): boolean {
    return this.#entries[slot] !== undefined;
  }

  /** Whether ATS is enabled at the endpoint, so that it sends requests and translated accesses. */
  enabled(streamId: number): boolean {
    return this.#parts.store.get(this.#flag(streamId, 0)) === 0;
  }

  setEnabled(streamId: number, enabled: boolean): void {
    this.#parts.store.set(this.#flag(streamId, 0), enabled ? 0 : 1);
  }

  /** Whether the endpoint answers invalidation requests (§3.9.1.4); one without ATS slots always does. */
  answers(streamId: number): boolean {
    return !this.#parts.universe.streamIds.includes(streamId) || this.#parts.store.get(this.#flag(streamId, 1)) === 0;
  }

  setAnswers(streamId: number, answers: boolean): void {
    this.#parts.store.set(this.#flag(streamId, 1), answers ? 0 : 1);
  }

  /** See `CommandQueueParts.takeTimeout`. */
  takeTimeout(): boolean {
    const { store } = this.#parts;
    if (store.get(this.#timeout) === 0) return false;
    store.set(this.#timeout, 0);
    return true;
  }

  /** The entry of a slot with some content, interned. */
  entry(slot: number, address: number, granted: number): AtcEntry {
    const entries = this.#entries[slot] as AtcEntry[];
    for (const entry of entries) if (entry.address === address && entry.granted === granted) return entry;
    const { streamId, substream, va } = this.#parts.universe.slots[slot] as Slot;
    const { page } = this.#parts.universe.addressOf[slot] as InputAddress;
    const cell = this.#parts.holds.intern(`atc ${streamId}.${substream}.${va} ${address}/${granted}`);
    const entry = { cell, slot, streamId, substream, page, address, granted };
    entries.push(entry);
    return entry;
  }

  /** What may be held for a slot now. */
  held(slot: number): AtcEntry[] {
    return (this.#entries[slot] ?? []).filter(({ cell }) => this.#parts.holds.state(cell) !== 0);
  }

  /** All that may be held now. */
  allHeld(): AtcEntry[] {
    return this.#entries.flatMap((_entries, slot) => this.held(slot));
  }

  /** An entry is sure to be dropped by an invalidation that has begun, if no request brings it again. */
  doomed({ cell }: AtcEntry): boolean {
    return this.#parts.holds.state(cell) > 1;
  }

  /** A request may bring the entry now, after all invalidations that have begun. */
  bring({ cell }: AtcEntry): void {
    this.#parts.holds.raise(cell, 1);
  }

  /**
   * A request may only bring the entry by what a CMD_SYNC before some CMD_ATC_INV takes away: so before that
   * CMD_ATC_INV, which then covers it.
   */
  bringBefore({ cell }: AtcEntry, sequence: number): void {
    this.#parts.holds.raise(cell, sequence + 2);
  }

  /**
   * A CMD_ATC_INV has begun: what it covers is doomed. The caller brings back what a request may bring after it.
   *
   * @param touched told of each slot of which something is doomed.
   * @returns how many entries it covers.
   */
  invalidate(command: AtcInvalidation, sequence: number, touched: (slot: number) => void): number {
    // A request that the endpoint does not answer invalidates nothing.
    if (!this.answers(command.streamId)) {
      this.#parts.store.set(this.#timeout, 1);
      return 0;
    }
    let count = 0;
    for (const entries of this.#entries)
      for (const entry of entries ?? [])
        if (coversAtc(command, entry) && this.#parts.holds.state(entry.cell) !== 0) {
          count++;
          if (this.#parts.holds.doom(entry.cell, sequence)) touched(entry.slot);
        }
    return count;
  }

  /** No outstanding CMD_ATC_INV takes anything away. */
  spare(): void {
    const { holds } = this.#parts;
    for (const entries of this.#entries)
      for (const { cell } of entries ?? []) if (holds.state(cell) > 1) holds.set(cell, 1);
  }

  /**
   * All commands before `sequence` have completed: what is still doomed by them goes.
   *
   * @param touched told of each slot of which something has gone.
   */
  complete(sequence: number, touched: (slot: number) => void): void {
    for (const entries of this.#entries)
      for (const { cell, slot } of entries ?? []) if (this.#parts.holds.complete(cell, sequence)) touched(slot);
  }

  /**
   * The last outstanding CMD_ATC_INV that covers a slot, if a CMD_SYNC before it is outstanding too. Such a CMD_ATC_INV
   * only begins when that CMD_SYNC has completed (§4.7.3), so what the CMD_SYNC waits for has gone by then.
   *
   * @returns the sequence numbers of both.
   */
  lastBehindSync(slot: number): { readonly invalidation: number; readonly sync: number } | undefined {
    const { pending, universe } = this.#parts;
    const { streamId, substream } = universe.slots[slot] as Slot;
    const { page } = universe.addressOf[slot] as InputAddress;
    let invalidation = pending.next - 1;
    const { first } = pending;
    for (; invalidation >= first; invalidation--) {
      const command = pending.at(invalidation);
      if (command.kind === 'atc' && coversAtc(command, { streamId, substream, page })) break;
    }
    for (let sync = invalidation - 1; sync >= first; sync--)
      if (pending.at(sync).kind === 'sync') return { invalidation, sync };
    return undefined;
  }

  #flag(streamId: number, which: number): number {
    const index = this.#parts.universe.streamIds.indexOf(streamId);
    if (index < 0) throw new RangeError(`StreamID ${streamId} is not in the universe`);
    return this.#flags + 2 * index + which;
  }
}
