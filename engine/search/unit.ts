/**
 * A piece of work for a thread: steps that some agents can make after a schedule. It says nothing of any thread's memory, so
 * it can be given to another one, and kept in a file.
 */
export interface Unit {
  /** Agent index of each step before. */
  readonly prefix: Uint8Array;
  /** Agents whose steps are to be explored there, a bit each. */
  readonly agents: number;
  /** Agents that sleep there (`Sleepers`). */
  readonly asleep: number;
}

/** Several units whose prefixes begin one another: what is left to do on the path of a depth-first search. */
export interface Branches {
  readonly path: Uint8Array;
  /** Three words for each unit, shortest first: length of its prefix, its agents, and who sleeps. */
  readonly units: Int32Array;
}

/** All that there is to explore: every agent at the start. */
export const EVERYTHING: Unit = { prefix: new Uint8Array(0), agents: -1, asleep: 0 };

/** Units to be done, longest prefix of the last branches first: as the depth-first search that left them would go on. */
export class Backlog {
  readonly #branches: Branches[];
  /** Units left of each. */
  readonly #left: number[];

  constructor(branches: readonly Branches[]) {
    this.#branches = branches.filter(({ units }) => units.length > 0);
    this.#left = this.#branches.map(({ units }) => units.length / 3);
  }

  /** The next unit; undefined if there is none, or if its prefix is longer than `prefixMax`. */
  take(prefixMax = Infinity): Unit | undefined {
    const last = this.#branches.length - 1;
    const branches = this.#branches[last];
    if (branches === undefined) return undefined;
    const at = ((this.#left[last] as number) - 1) * 3;
    if ((branches.units[at] as number) > prefixMax) return undefined;
    this.#left[last] = at / 3;
    if (at === 0) this.#drop();
    const { path, units } = branches;
    return {
      prefix: path.slice(0, units[at]),
      agents: units[at + 1] as number,
      asleep: units[at + 2] as number,
    };
  }

  /** What has not been taken. */
  rest(): Branches[] {
    return this.#branches.map(({ path, units }, index) => ({
      path,
      units: units.slice(0, (this.#left[index] as number) * 3),
    }));
  }

  #drop(): void {
    this.#branches.pop();
    this.#left.pop();
  }
}

/** Everything, as branches. */
export const ALL_BRANCHES: Branches = { path: EVERYTHING.prefix, units: Int32Array.of(0, -1, 0) };

/** Words of a unit in shared memory, for prefixes of some length. */
export function unitWords(prefixMax: number): number {
  return 3 + Math.ceil(prefixMax / 4);
}

/** Writes a unit to shared memory at a word. */
export function putUnit(words: Int32Array, at: number, { prefix, agents, asleep }: Unit): void {
  words[at] = prefix.length;
  words[at + 1] = agents;
  words[at + 2] = asleep;
  new Uint8Array(words.buffer, words.byteOffset + (at + 3) * 4, prefix.length).set(prefix);
}

/** Reads a unit from shared memory. */
export function takeUnit(words: Int32Array, at: number): Unit {
  const prefix = new Uint8Array(words[at] as number);
  prefix.set(new Uint8Array(words.buffer, words.byteOffset + (at + 3) * 4, prefix.length));
  return { prefix, agents: words[at + 1] as number, asleep: words[at + 2] as number };
}
