import { expect, test } from 'vitest';
import type { AgentSpec } from '../agent.ts';
import { Cell } from '../cell.ts';
import { deterministic } from '../determinism.ts';
import { checkIsolation } from '../isolation.ts';
import { AGENTS_MAX, Machine } from '../machine.ts';
import { ObjectPool } from '../object.ts';
import { observe } from '../observe.ts';
import { Runner } from '../run.ts';
import { search } from '../search/search.ts';
import { randomWalk } from '../strategies/random-walk.ts';
import type { Task } from '../step.ts';
import type { System } from '../system.ts';
import { beforeMmioWrite, dma_wmb, smp_mb } from './barriers.ts';
import { drains } from './drains.ts';
import { STORES_MAX, StoreBuffers } from './store-buffers.ts';

const cpu = (name: string, start: () => Task): AgentSpec => ({
  name,
  context: 'process',
  daemon: false,
  operations: [{ label: 'thread', start }],
});

/** A machine on which agent 0 has a buffer and agent 1 has none, and memory of words. */
function machineWith(entries: number) {
  const machine = new Machine();
  const buffers = new StoreBuffers(machine, entries);
  machine.buffers = buffers;
  const memory = machine.store.reserve(16, 'memory');
  const idle = function* (): Task {
    // Steps are called by hand.
  };
  buffers.assign([cpu('CPU0', idle), cpu('dev0', idle)], ({ name }) => name.startsWith('CPU'));
  const as = (agent: number) => (machine.current = agent);
  as(0);
  return { machine, buffers, memory, as };
}

test('a word is forwarded lane by lane to its own CPU, and to nobody else', () => {
  const { machine, buffers, memory, as } = machineWith(2);
  buffers.storeWord(memory, 1, 2);
  buffers.storeWord(memory, 3, 4);
  expect([buffers.load(memory), buffers.load(memory + 1)]).toEqual([3, 4]);
  as(1);
  expect([buffers.load(memory), buffers.load(memory + 1)]).toEqual([0, 0]);
  buffers.storeWord(memory + 2, 5, 6);
  expect(machine.store.get(memory + 3)).toBe(6);
  as(-1);
  expect(buffers.load(memory)).toBe(0);
});

test('what reaches memory is told, and a full buffer lets its oldest store go', () => {
  const { machine, buffers, memory } = machineWith(2);
  const told: number[][] = [];
  buffers.commitWord = (...word) => void told.push(word);
  for (let at = 0; at < 4; at++) buffers.storeWord(memory + 2 * at, at, at + 10);
  expect(told).toEqual([
    [memory, 0, 10],
    [memory + 2, 1, 11],
  ]);
  smp_mb(machine);
  expect(told).toHaveLength(4);
  expect(buffers.pending()).toEqual([]);
});

test('an access that acts at once waits for stores to its location, and for those behind a barrier', () => {
  const { machine, buffers, memory } = machineWith(3);
  const cells = () => buffers.pending().map(({ cell }) => cell - memory);
  for (const at of [0, 1, 2]) buffers.store(memory + at, 1);
  buffers.settle(memory + 1);
  expect(cells()).toEqual([2]);
  beforeMmioWrite(machine);
  expect(cells()).toEqual([2]);
  dma_wmb(machine);
  buffers.store(memory + 3, 1);
  buffers.settle(memory + 4);
  expect(cells()).toEqual([3]);
  dma_wmb(machine);
  beforeMmioWrite(machine);
  expect(cells()).toEqual([]);
});

test('which store may come next: coherence, barriers and releases', () => {
  const { machine, buffers, memory } = machineWith(4);
  const next = () => [0, 1, 2, 3].filter((at) => buffers.canDrain(0, at));
  buffers.store(memory, 1);
  buffers.store(memory + 1, 1);
  buffers.store(memory, 2);
  buffers.storeRelease(memory + 2, 1);
  expect(next()).toEqual([0, 1]);
  buffers.drainAt(0, 0);
  expect(next()).toEqual([0, 1]);
  buffers.drainAt(0, 1);
  expect(next()).toEqual([0]);
  dma_wmb(machine);
  buffers.store(memory + 3, 1);
  expect(next()).toEqual([0]);
  buffers.drainAt(0, 0);
  buffers.drainAt(0, 0);
  expect(next()).toEqual([0]);
});

test('states that differ in nothing that can be seen are one', () => {
  const { machine, buffers, memory } = machineWith(2);
  const { store } = machine;
  const before = store.cells.slice(0, store.size);
  buffers.store(memory, 1);
  dma_wmb(machine);
  buffers.drainAt(0, 0);
  buffers.store(memory, 0);
  buffers.drain();
  expect(store.cells.slice(0, store.size)).toEqual(before);
});

test('bounds are told', () => {
  expect(() => new StoreBuffers(new Machine(), 0)).toThrow(RangeError);
  expect(() => new StoreBuffers(new Machine(), STORES_MAX + 1)).toThrow(RangeError);
  const { buffers } = machineWith(STORES_MAX);
  const many = Array.from({ length: AGENTS_MAX / 4 }, (_, at) => cpu(`CPU${at}`, function* (): Task {}));
  expect(() => buffers.assign(many, () => true)).toThrow(/more than 16/);
});

/** Two CPUs that store and load fields of an object. */
function system(): System {
  const machine = new Machine();
  const buffers = new StoreBuffers(machine, 2);
  machine.buffers = buffers;
  const pool = new ObjectPool(machine, 'pair', 1, (slot) => ({ x: slot.buffered('x'), y: slot.buffered('y', String) }));
  pool.alloc();
  const { x, y } = pool.at(1);
  const side = (own: Cell, other: Cell) =>
    function* (): Task {
      yield* own.store(1);
      const seen = yield* other.load();
      yield* other.store(seen + 2);
    };
  const cpus = [cpu('CPU0', side(x, y)), cpu('CPU1', side(y, x))];
  buffers.assign(cpus, () => true);
  const names = cpus.map(({ name }, agent) => ({ name, agent }));
  return { machine, agents: [...cpus, ...drains(buffers, names, (cell) => `cell ${cell}`)] };
}

test('buffers are undone and hashed, and steps over them are deterministic', () => {
  checkIsolation(system, { runs: 30 });
  const result = search(deterministic(system()), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(search(system(), { order: 'bfs' }).states).toBe(result.states);
  expect(search({ ...system(), memoise: true }, { order: 'dfs' }).states).toBe(result.states);
});

test('a store that reaches memory is named in what is observed', () => {
  const runner = new Runner(system());
  runner.run(randomWalk(), 3);
  const observation = observe(system(), runner.schedule.slice(0, runner.steps));
  const arrivals = observation.steps.filter(({ agentName }) => agentName.startsWith('CPU0 store buffer'));
  expect(arrivals.length).toBeGreaterThan(0);
  for (const { label, result } of arrivals) expect(`${label} ${String(result)}`).toMatch(/^reaches memory cell \d+$/);
  expect(arrivals.flatMap(({ changes }) => changes.map(({ name }) => name))).toContain('pair0.x');
});
