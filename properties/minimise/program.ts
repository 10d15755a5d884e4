/** Programs as data: what can be taken away from one, and what makes two of them the same. */
import type { Operation, Program } from '../family.ts';

/** Where the steps of an operation go when a program changes: agent and index, or undefined if it was deleted. */
export type Moved = (agent: string, operation: number) => Place | undefined;

/** An operation of a program: its agent's name, its index there. */
export interface Place {
  readonly agent: string;
  readonly operation: number;
}

/** A program made from another one, and where its operations come from. */
export interface Derived {
  readonly program: Program;
  readonly moved: Moved;
}

/** Number of operations of a program. */
export function countOperations(program: Program): number {
  return program.agents.reduce((sum, { operations }) => sum + operations.length, 0);
}

/** The program with only the operations whose flag is set, in program order; agents without any are left out. */
export function keep(program: Program, kept: readonly boolean[]): Derived {
  const places = new Map<string, Place>();
  let index = 0;
  const agents = program.agents.map(({ name, operations }) => {
    let left = 0;
    return {
      name,
      operations: operations.filter((_, operation) => {
        const stays = kept[index++] === true;
        if (stays) places.set(`${name}/${operation}`, { agent: name, operation: left++ });
        return stays;
      }),
    };
  });
  return {
    program: { agents: agents.filter(({ operations }) => operations.length > 0) },
    moved: (agent, operation) =>
      program.agents.some(({ name }) => name === agent) ? places.get(`${agent}/${operation}`) : { agent, operation },
  };
}

/** The program with other operations in the same places. */
export function replaceOperations(program: Program, operations: readonly Operation[]): Derived {
  let index = 0;
  const agents = program.agents.map((agent) => ({
    ...agent,
    operations: agent.operations.map((operation) => operations[index++] ?? operation),
  }));
  return { program: { agents }, moved: stays };
}

/** All operations of a program, agent by agent. */
export function operationsOf(program: Program): Operation[] {
  return program.agents.flatMap(({ operations }) => operations);
}

/** Subsets of `total` things with `size` members, as flags. */
export function* subsets(total: number, size: number): Generator<boolean[]> {
  if (size > total || size < 0) return;
  if (total === 0) {
    yield [];
    return;
  }
  for (const rest of subsets(total - 1, size - 1)) yield [true, ...rest];
  for (const rest of subsets(total - 1, size)) yield [false, ...rest];
}

/** The programs in which one agent also does what another one does, before or after its own. */
export function* merged(program: Program): Generator<Derived> {
  for (const [at, into] of program.agents.entries())
    for (const [from, agent] of program.agents.entries()) {
      if (from <= at) continue;
      for (const first of [into, agent]) {
        const second = first === into ? agent : into;
        const offset = first.operations.length;
        const whole = { name: into.name, operations: [...first.operations, ...second.operations] };
        const agents = program.agents.flatMap((one) => (one === into ? [whole] : one === agent ? [] : [one]));
        yield {
          program: { agents },
          moved: (name, operation) => ({
            agent: name === agent.name ? into.name : name,
            operation: name === second.name ? operation + offset : operation,
          }),
        };
      }
    }
}

/** The same program with its agents in a fixed order, named CPU0, CPU1 …, if they are called so: names of no meaning. */
export function canonical(program: Program): Derived {
  if (!program.agents.every(({ name }) => CPU.test(name))) return { program, moved: stays };
  const sorted = [...program.agents].sort((a, b) => order(JSON.stringify(a.operations), JSON.stringify(b.operations)));
  const names = new Map(sorted.map(({ name }, at) => [name, `CPU${at}`]));
  return {
    program: { agents: sorted.map(({ name, operations }) => ({ name: names.get(name) ?? name, operations })) },
    // What belongs to an agent, such as its store buffer, is called after it.
    moved: (agent, operation) => ({ agent: agent.replace(CPU_OF, (name) => names.get(name) ?? name), operation }),
  };
}

const CPU = /^CPU\d+$/;
const CPU_OF = /^CPU\d+/;

const stays: Moved = (agent, operation) => ({ agent, operation });

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
