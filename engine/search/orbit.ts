import { printOfKey, printOfResult, printOfStart, type Node } from '../automaton.ts';
import { HarnessError } from '../failure.ts';
import { mixHigh, mixLow, type Lanes } from '../hash.ts';
import { AGENTS_MAX } from '../machine.ts';
import type { Step, Result } from '../step.ts';
import type { Store } from '../store.ts';
import type { Renaming } from '../symmetry.ts';
import type { System } from '../system.ts';

/** The state at hand under one renaming: the fingerprint that the renamed state has. */
class Renamed {
  low = 0;
  high = 0;
  readonly #renaming: Renaming;
  readonly #store: Store;
  /** Where each cell goes. */
  readonly #cell: Int32Array;
  /** Fingerprints of local states, by the id of the node. */
  readonly #prints: (Lanes | undefined)[] = [];
  /** For each length of the undo log since the root, what the writes up to there add to the fingerprint: two lanes. */
  #written = new Int32Array(1 << 10);

  constructor(renaming: Renaming, store: Store) {
    this.#renaming = renaming;
    this.#store = store;
    this.#cell = Int32Array.from({ length: store.size }, (_, cell) => renaming.cell?.(cell) ?? cell);
  }

  /** Takes in the log from `from` on, where `root` is the undo mark of the first state. */
  absorb(root: number, from: number): void {
    const { logCell, logOld, logNew, logLength } = this.#store;
    if ((logLength - root + 1) * 2 > this.#written.length) this.#grow((logLength - root + 1) * 2);
    const written = this.#written;
    for (let at = from; at < logLength; at++) {
      const word = (at - root) * 2;
      const cell = logCell[at] as number;
      const before = logOld[at] as number;
      const after = logNew[at] as number;
      written[word + 2] = (written[word] as number) ^ this.#low(cell, before) ^ this.#low(cell, after);
      written[word + 3] = (written[word + 1] as number) ^ this.#high(cell, before) ^ this.#high(cell, after);
    }
  }

  /** Works out the fingerprint for the log as it stands. */
  update(root: number, nodes: readonly Node[]): void {
    const word = (this.#store.logLength - root) * 2;
    this.low = this.#written[word] as number;
    this.high = this.#written[word + 1] as number;
    for (let agent = 0; agent < nodes.length; agent++) {
      const print = this.print(nodes[agent] as Node);
      this.low ^= print.low;
      this.high ^= print.high;
    }
  }

  /** The agent that takes an agent's place; -1 stays. */
  agent(agent: number): number {
    return agent < 0 ? agent : (this.#renaming.agents[agent] as number);
  }

  /** The fingerprint of the renamed local state. */
  print(node: Node): Lanes {
    return (this.#prints[node.id] ??= this.#printOf(node));
  }

  /** The first cell that makes the state at hand another one than its renaming, or -1. */
  differsAt(): number {
    const { cells } = this.#store;
    const taken = new Uint8Array(this.#cell.length);
    for (const [cell, to] of this.#cell.entries()) {
      const value = cells[cell] as number;
      if (taken[to] === 1 || cells[to] !== this.#value(cell, value)) return cell;
      taken[to] = 1;
    }
    return -1;
  }

  #printOf(node: Node): Lanes {
    const { agents, key, result } = this.#renaming;
    const agent = agents[node.agent] as number;
    if (node.key !== undefined)
      return printOfKey(agent, node.operation, key === undefined ? node.key : key(node.key, node.agent));
    const { parent } = node;
    if (parent === undefined) return printOfStart(agent, node.operation);
    const received = node.result as Result;
    const renamed = result === undefined ? received : result(received, parent.step as Step, node.agent);
    return printOfResult(this.print(parent), renamed);
  }

  #value(cell: number, value: number): number {
    return value === 0 || this.#renaming.value === undefined ? value : this.#renaming.value(cell, value) | 0;
  }

  #low(cell: number, value: number): number {
    if (value === 0) return 0;
    const { identities } = this.#store;
    const to = this.#cell[cell] as number;
    const renamed = this.#value(cell, value);
    return identities === undefined ? mixLow(to, renamed) : identities.low(to, renamed);
  }

  #high(cell: number, value: number): number {
    if (value === 0) return 0;
    const { identities } = this.#store;
    const to = this.#cell[cell] as number;
    const renamed = this.#value(cell, value);
    return identities === undefined ? mixHigh(to, renamed) : identities.high(to, renamed);
  }

  #grow(least: number): void {
    const grown = new Int32Array(Math.max(least, this.#written.length * 2));
    grown.set(this.#written);
    this.#written = grown;
  }
}

/**
 * The states that are renamings of the state at hand, by their fingerprints: one of them, the least, stands for all. States
 * themselves are never renamed: a search goes from real states to real states, so its schedules are real ones.
 */
export class Orbit {
  low = 0;
  high = 0;
  readonly renamed: readonly Renamed[];
  readonly #root: number;

  /** @throws HarnessError if the state at hand, which is the root, is not its own renaming. */
  constructor({ machine, agents }: System, symmetry: readonly Renaming[], nodes: readonly Node[]) {
    this.#root = machine.store.mark();
    this.renamed = symmetry.map((renaming) => {
      const renamed = new Renamed(renaming, machine.store);
      const places = new Set(renaming.agents);
      if (renaming.agents.length !== agents.length || places.size !== agents.length)
        throw new HarnessError('a renaming is not a permutation of the agents');
      const cell = renamed.differsAt();
      if (cell >= 0)
        throw new HarnessError(
          `the first state is not its own renaming: see ${machine.store.locate(cell).region.name}`,
        );
      const wrong = nodes.findIndex((node) => {
        const print = renamed.print(node);
        const other = nodes[renamed.agent(node.agent)];
        return other === undefined || other.low !== print.low || other.high !== print.high;
      });
      if (wrong >= 0)
        throw new HarnessError(`${agents[wrong]?.name ?? ''} does not begin as the agent in its place does`);
      return renamed;
    });
  }

  /** To be called after each step, with the undo mark before it. */
  absorb(from: number): void {
    for (let at = 0; at < this.renamed.length; at++) (this.renamed[at] as Renamed).absorb(this.#root, from);
  }

  /**
   * Makes `low` and `high` the least fingerprint of the orbit.
   *
   * @param print fingerprint of the state at hand.
   * @param previous agent whose step led to the state, and `switches` up to there, if they belong to the state (-1: not).
   */
  choose(print: Lanes, nodes: readonly Node[], previous: number, switches: number): void {
    this.low = print.low ^ placeLow(previous, switches);
    this.high = print.high ^ placeHigh(previous, switches);
    for (let at = 0; at < this.renamed.length; at++) {
      const other = this.renamed[at] as Renamed;
      other.update(this.#root, nodes);
      const agent = other.agent(previous);
      const low = other.low ^ placeLow(agent, switches);
      if (low > this.low) continue;
      const high = other.high ^ placeHigh(agent, switches);
      if (low === this.low && high >= this.high) continue;
      this.low = low;
      this.high = high;
    }
  }
}

/** What the place of a state in a schedule with bounded switches adds to its fingerprint; nothing if `switches` is negative. */
export function placeLow(previous: number, switches: number): number {
  return switches < 0 ? 0 : mixLow(switches * AGENTS_MAX * 2 + previous + 1, 0x51ed270b);
}

/** The other lane of it. */
export function placeHigh(previous: number, switches: number): number {
  return switches < 0 ? 0 : mixHigh(switches * AGENTS_MAX * 2 + previous + 1, 0x51ed270b);
}
