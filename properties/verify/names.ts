import type { Node } from '../../engine/automaton.ts';
import { mixHigh, mixLow } from '../../engine/hash.ts';
import { AGENTS_MAX, type Machine, type NamesAgents } from '../../engine/machine.ts';

/** Stands for an idle CPU: where nodes have their fingerprints. */
const IDLE = 0x3c6ef372;

/**
 * The fingerprint of a state, whichever way CPUs are named. A CPU is known by where it stands: each contributes the
 * fingerprint of its node, and a cell that names a CPU (the owner of a lock, a counter for each CPU) contributes that of
 * the CPU's node instead of its number. States that differ in the CPUs' names have one fingerprint; others do not, since
 * where a CPU stands tells which locks it holds.
 */
export class Names {
  low = 0;
  high = 0;
  readonly #cpus: number;
  readonly #symmetric: boolean;
  readonly #machine: Machine;
  /** Cells that name agents, how they do it, and for which agent a cell is, if it is one of several. */
  readonly #cells: Int32Array;
  readonly #kinds: readonly NamesAgents[];
  readonly #agents: Int32Array;

  constructor(machine: Machine, cpus: number, symmetric: boolean) {
    this.#machine = machine;
    this.#cpus = cpus;
    this.#symmetric = symmetric;
    const cells = (symmetric ? machine.agentCells : []).flatMap(({ kind, base, length }) =>
      Array.from({ length }, (_, offset) => ({ kind, cell: base + offset, agent: offset })),
    );
    this.#cells = Int32Array.from(cells, ({ cell }) => cell);
    this.#kinds = cells.map(({ kind }) => kind);
    this.#agents = Int32Array.from(cells, ({ agent }) => agent);
  }

  /** Sets `low` and `high`. @param nodes of all agents; undefined: idle. @param low @param high those of the store. */
  print(nodes: readonly (Node | undefined)[], low: number, high: number): void {
    this.low = low;
    this.high = high;
    // A sum, not an exclusive or: two CPUs may stand at the same place.
    let sumLow = 0;
    let sumHigh = 0;
    for (let agent = 0; agent < nodes.length; agent++) {
      const node = nodes[agent];
      if (node === undefined) continue;
      const own = this.#symmetric && agent < this.#cpus ? 0 : agent + 1;
      sumLow = (sumLow + mixLow(node.low, own)) | 0;
      sumHigh = (sumHigh + mixHigh(node.high, own)) | 0;
    }
    const { cells } = this.#machine.store;
    for (let index = 0; index < this.#cells.length; index++) {
      const cell = this.#cells[index] as number;
      const value = cells[cell] as number;
      if (value !== 0) this.#rename(index, cell, value, nodes);
    }
    this.low ^= sumLow;
    this.high ^= sumHigh;
  }

  /** Takes what the cell contributes by number out, and puts what it contributes by place in. */
  #rename(index: number, cell: number, value: number, nodes: readonly (Node | undefined)[]): void {
    this.low ^= mixLow(cell, value);
    this.high ^= mixHigh(cell, value);
    const kind = this.#kinds[index] as NamesAgents;
    if (kind === 'owner') return this.#add(cell, 1, nodes, value - 1);
    if (kind === 'each')
      return this.#add(cell - (this.#agents[index] as number), value, nodes, this.#agents[index] as number);
    for (let agent = 0; agent < AGENTS_MAX; agent++) if ((value & (1 << agent)) !== 0) this.#add(cell, 1, nodes, agent);
  }

  #add(cell: number, value: number, nodes: readonly (Node | undefined)[], agent: number): void {
    const node = nodes[agent];
    const isCpu = agent >= 0 && agent < this.#cpus;
    const low = isCpu ? (node?.low ?? IDLE) : agent;
    const high = isCpu ? (node?.high ?? IDLE) : agent;
    this.low = (this.low + mixLow(mixLow(cell, value), low)) | 0;
    this.high = (this.high + mixHigh(mixHigh(cell, value), high)) | 0;
  }
}
