import type { Operation, Program } from '../family.ts';

/**
 * Operations dealt out to CPUs, and whether this is the one deal that stands for all that differ in the CPUs' names: CPUs
 * get their lists one after the other, no list is longer than the one before, and of lists of one length the lesser comes
 * first.
 */
export class Deal {
  readonly #agents = new Map<string, Operation[]>();
  /** The operations of each CPU as text, while the deal is the one that counts. */
  readonly #lists: string[][] = [];

  /** Gives an operation to an agent that is no CPU. */
  give(name: string, operation: Operation): void {
    const list = this.#agents.get(name) ?? [];
    list.push(operation);
    this.#agents.set(name, list);
  }

  /** Gives an operation to a CPU; false if the deal is a duplicate. */
  giveCpu(cpu: number, operation: Operation): boolean {
    this.give(`CPU${cpu}`, operation);
    const lists = this.#lists;
    if (cpu === lists.length) lists.push([]);
    const list = lists[cpu];
    if (list === undefined || cpu !== lists.length - 1) return false;
    list.push(JSON.stringify(operation));
    const before = lists[cpu - 1];
    if (before === undefined || list.length < before.length) return true;
    return list.length === before.length && !isLess(list, before);
  }

  /** The program so far, agents by name. */
  program(): Program {
    const names = [...this.#agents.keys()].sort();
    return { agents: names.map((name) => ({ name, operations: this.#agents.get(name) ?? [] })) };
  }
}

/**
 * The deal that stands for all that differ in the CPUs' names: of programs whose agents are all CPUs.
 */
export function canonical(program: Program): Program {
  const lists = program.agents
    .filter(({ operations }) => operations.length > 0)
    .map(({ operations }) => ({ operations, words: operations.map((operation) => JSON.stringify(operation)) }))
    .sort(
      (a, b) => b.words.length - a.words.length || (isLess(a.words, b.words) ? -1 : isLess(b.words, a.words) ? 1 : 0),
    );
  return { agents: lists.map(({ operations }, index) => ({ name: `CPU${index}`, operations })) };
}

function isLess(a: readonly string[], b: readonly string[]): boolean {
  const at = a.findIndex((word, index) => word !== b[index]);
  return at >= 0 && (a[at] as string) < (b[at] as string);
}
