import type { Store } from '../../../../engine/store.ts';
import type { OutstandingBroadcasts } from '../broadcast/outstanding-broadcasts.ts';
import { broadcastsOf, doomedBy, dooming, isDoomed, SEQUENCES_MAX } from '../holds.ts';
import type { Command } from './invalidation.ts';

/**
 * The commands that the SMMU may have begun and not yet completed: a ring of interned commands in the store. Each command
 * has a sequence number, counted from reset. What a command dooms goes only when a CMD_SYNC behind it has been observed
 * to be consumed: consumption of the command itself says nothing (IHI 0070 §4.3.8, §4.7.3).
 */
export class PendingCommands {
  readonly #store: Store;
  readonly #ring: number;
  readonly #size: number;
  /** Sequence number of the next command. */
  readonly #next: number;
  /** Sequence number of the first command that has not completed. */
  readonly #first: number;
  readonly #commands: Command[] = [];
  readonly #ids = new Map<Command, number>();
  readonly #broadcasts: OutstandingBroadcasts | undefined;

  /**
   * @param size most commands that can be outstanding.
   * @param broadcasts of an SMMU that takes part in broadcast maintenance: those that are outstanding beside the commands.
   */
  constructor(store: Store, size: number, broadcasts?: OutstandingBroadcasts) {
    this.#store = store;
    this.#broadcasts = broadcasts;
    this.#size = size;
    this.#ring = store.reserve(size, 'outstanding commands');
    store.mean(this.#ring, size, (id) => JSON.stringify(this.#commands[id - 1]));
    this.#next = store.reserve(2, 'command sequence');
    this.#first = this.#next + 1;
  }

  /** Sequence number of the next command. */
  get next(): number {
    return this.#store.get(this.#next);
  }

  /** Sequence number of the first outstanding command; equal to `next` if there is none. */
  get first(): number {
    return this.#store.get(this.#first);
  }

  /** The outstanding command with a sequence number. */
  at(sequence: number): Command {
    const id = this.#store.get(this.#ring + (sequence % this.#size));
    return this.#commands[id - 1] as Command;
  }

  /**
   * Appends a command. The same command is always the same object.
   *
   * @returns its sequence number.
   * @throws RangeError if too many are outstanding.
   */
  push(command: Command): number {
    const sequence = this.next;
    if (sequence - this.first === this.#size)
      throw new RangeError(`more than ${this.#size} commands outstanding: give the architecture model more room`);
    if (sequence === SEQUENCES_MAX) throw new RangeError(`more than ${SEQUENCES_MAX} commands in one history`);
    this.#store.set(this.#ring + (sequence % this.#size), this.#id(command));
    this.#store.set(this.#next, sequence + 1);
    return sequence;
  }

  /** Forgets the commands before `sequence`. */
  completeBefore(sequence: number): void {
    for (let at = this.first; at < sequence; at++) this.#store.set(this.#ring + (at % this.#size), 0);
    this.#store.set(this.#first, sequence);
  }

  /**
   * State (see `HoldTable`) of something read through a thing whose state is `state`: if that thing is doomed, what was
   * read through it is doomed by the first of its dooming commands that covers both, and by each of its dooming
   * broadcasts that does, for completion of an invalidation includes the walks that it affects (§3.21.1). An
   * invalidation that covers only one of them does not reach it.
   */
  inherit(state: number, covers: (command: Command) => boolean): number {
    if (!isDoomed(state)) return state;
    const first = dooming(state);
    return doomedBy(first === -1 ? -1 : this.#firstFrom(first, covers), this.#covering(broadcastsOf(state), covers));
  }

  /**
   * State of something read through two things. It goes with the first invalidation that covers it and, of these two,
   * one that is doomed: whoever read it came through both. What dooms only what it came through leaves it fresh.
   */
  inheritTwo(first: Doomed, second: Doomed, covers: (command: Command) => boolean): number {
    if (!isDoomed(first.state) && !isDoomed(second.state)) return 1;
    const broadcasts = this.#covering(broadcastsOf(first.state) | broadcastsOf(second.state), covers);
    if (dooming(first.state) === -1 && dooming(second.state) === -1) return doomedBy(-1, broadcasts);
    const by = (command: Command, sequence: number): boolean =>
      covers(command) && (reaches(first, command, sequence) || reaches(second, command, sequence));
    return doomedBy(this.#firstFrom(this.first, by), broadcasts);
  }

  /** Sequence number of the first outstanding command from one on that passes a test, or -1. */
  #firstFrom(from: number, passes: (command: Command, sequence: number) => boolean): number {
    const next = this.next;
    for (let sequence = from; sequence < next; sequence++) if (passes(this.at(sequence), sequence)) return sequence;
    return -1;
  }

  #covering(broadcasts: number, covers: (command: Command) => boolean): number {
    return broadcasts === 0 ? 0 : (this.#broadcasts?.filter(broadcasts, covers) ?? 0);
  }

  #id(command: Command): number {
    let id = this.#ids.get(command);
    if (id === undefined) {
      id = this.#commands.push(command);
      this.#ids.set(command, id);
    }
    return id;
  }
}

/** Something held that another thing is read through. */
export interface Doomed {
  /** State of `HoldTable`. */
  readonly state: number;
  readonly covers: (command: Command) => boolean;
}

function reaches({ state, covers }: Doomed, command: Command, sequence: number): boolean {
  const first = dooming(state);
  return first !== -1 && sequence >= first && covers(command);
}
