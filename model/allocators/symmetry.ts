import type { AgentSpec } from '../../engine/agent.ts';
import type { Renaming } from '../../engine/symmetry.ts';
import { spaceName, type AllocatorState, type Row } from './state.ts';

/**
 * The renamings of spaces, and of CPUs if wanted, but the one that changes nothing. Agents are renamed by their names:
 * "CPU1 B" is what CPU 1 does with space B. Where only some spaces end or unmap, only those are renamed that do the same.
 */
export function renamings(state: AllocatorState, agents: readonly AgentSpec[], ofCpus: boolean): Renaming[] {
  const cpuOrders = ofCpus ? permutations(state.cpus) : [identity(state.cpus)];
  return cpuOrders
    .flatMap((cpus) => permutations(state.spaces).map((spaces) => ({ cpus, spaces })))
    .filter(({ cpus, spaces }) => !isIdentity(cpus) || !isIdentity(spaces))
    .map((order) => renaming(state, agents, order))
    .filter(({ agents: places }) => !places.includes(-1));
}

/** For each CPU and each space the one that takes its place. */
interface Order {
  readonly cpus: readonly number[];
  readonly spaces: readonly number[];
}

function renaming(state: AllocatorState, agents: readonly AgentSpec[], { cpus, spaces }: Order): Renaming {
  const rowOf = new Map<number, Row>();
  for (const row of state.rows) for (let at = 0; at < row.length; at++) rowOf.set(row.base + at, row);
  const cpu = (index: number): number => cpus[index] ?? index;
  const space = (index: number): number => spaces[index] ?? index;
  const letters = new Map(spaces.map((to, from) => [spaceName(from), spaceName(to)]));
  const renamed = (name: string): string =>
    name
      .replace(/^CPU(\d+)/, (_, index: string) => `CPU${cpu(Number(index))}`)
      .replace(/ ([A-Z])$/, (_, letter: string) => ` ${letters.get(letter) ?? letter}`);
  const place = new Map(agents.map(({ name }, index) => [name, index]));
  return {
    agents: agents.map(({ name }) => place.get(renamed(name)) ?? -1),
    cell: (cell) => {
      const row = rowOf.get(cell);
      if (row === undefined) return cell;
      const at = cell - row.base;
      if (row.of === 'cpu') return row.base + cpu(at);
      if (row.of === 'space') return row.base + space(at);
      if (row.of === 'both')
        return row.base + state.tlbAt(cpu(Math.floor(at / state.spaces)), space(at % state.spaces));
      return cell;
    },
    value: (cell, value) => (rowOf.get(cell)?.namesSpace === true ? space(value - 1) + 1 : value),
    key: (key) => (isIdentity(cpus) ? key : String(key).replace(/<(\d*)\|([\d,]*)>/, loopRenamed)),
  };

  /** See `loopKey`. */
  function loopRenamed(_: string, last: string, left: string): string {
    const names = left === '' ? [] : left.split(',').map((index) => cpu(Number(index)));
    return `<${last === '' ? '' : cpu(Number(last))}|${names.sort((a, b) => a - b).join(',')}>`;
  }
}

function identity(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function isIdentity(order: readonly number[]): boolean {
  return order.every((to, from) => to === from);
}

function permutations(count: number): number[][] {
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => rest.toSpliced(at, 0, count - 1)),
  );
}
