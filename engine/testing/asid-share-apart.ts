import type { AgentSpec } from '../agent.ts';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { step, type Step, type Task } from '../step.ts';
import { Mutex } from '../sync/lock.ts';
import type { System } from '../system.ts';
import { agent, effect, world } from './world.ts';

const OLD = 1;
const NEW = 2;
const PRIVATE = 1;
const PROCESS = 2;

/** Parameters of the workload, as there. */
export interface AsidShareApart {
  readonly devices: number;
  readonly dmas: number;
  readonly pages: number;
  readonly locked: boolean;
}

/** A shared variable. */
interface Variable {
  value: number;
}

/**
 * The canonical workload (bench/workloads/asid-share.ts) laid out for counting traces as other tools count them: a cell for
 * each entry that the TLB may hold and for each walk that may be in flight, so that steps which name different pages or ASIDs
 * have nothing in common.
 *
 * @param loud whether a write that changes nothing counts as a write, as where independence is told by kinds of operations:
 *   each variable then has a second cell, which counts the writes and is read with it.
 */
export function asidShareApart(size: AsidShareApart, loud: boolean): System {
  const all = new Apart(size, loud);
  const { devices, dmas, pages } = size;
  const agents: AgentSpec[] = [
    agent('bind', [() => all.bind()]),
    agent(
      'unmap',
      list(pages, (page) => () => all.unmap(page)),
    ),
    ...list(devices, (device) =>
      agent(
        `device${device}`,
        list(dmas, (at) => () => all.dma(device, (device + at) % pages)),
      ),
    ),
  ];
  return world(all.machine, agents);
}

function list<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

function load(from: Variable): Step<number> {
  return step('load', () => from.value);
}

function store(to: Variable, value: number): Step<undefined> {
  return effect('store', () => (to.value = value));
}

class Apart {
  readonly machine = new Machine();
  readonly #loud: boolean;
  readonly #locked: boolean;
  readonly #lock = new Mutex(this.machine, 'asid_lock');
  readonly #owner: Variable;
  readonly #fresh: Variable;
  readonly #domainAsid: Variable;
  readonly #cds: readonly Variable[];
  readonly #ptes: readonly Variable[];
  readonly #freed: readonly Variable[];
  /** By ASID (0 is not used) and page; the walks also by device. */
  readonly #tlb: Variable[][];
  readonly #walks: Variable[][][];

  constructor({ devices, pages, locked }: AsidShareApart, loud: boolean) {
    this.#loud = loud;
    this.#locked = locked;
    this.#owner = this.#variable('owner(old)', PRIVATE);
    this.#fresh = this.#variable('fresh', 0);
    this.#domainAsid = this.#variable('domain.asid', OLD);
    this.#cds = list(devices, (device) => this.#variable(`cd${device}`, OLD));
    this.#ptes = list(pages, (page) => this.#variable(`pte${page}`, 1));
    this.#freed = list(pages, (page) => this.#variable(`freed${page}`, 0));
    const entries = (name: string): Variable[][] =>
      list(3, (asid) => list(pages, (page) => this.#variable(`${name} ${asid} ${page}`, 0)));
    this.#tlb = entries('tlb');
    this.#walks = list(devices, (device) => entries(`walk${device}`));
  }

  *bind(): Task {
    yield* this.#lock.lock();
    if ((yield* load(this.#owner)) === PRIVATE) {
      yield* store(this.#fresh, NEW);
      yield* store(this.#domainAsid, NEW);
      for (const cd of this.#cds) yield* store(cd, NEW);
      yield* effect('CMD_SYNC', () => undefined);
      yield* effect('TLBI ASID old', () => this.#ptes.forEach((_, page) => this.#invalidate(OLD, page)));
    }
    yield* store(this.#owner, PROCESS);
    yield* this.#lock.unlock();
  }

  *unmap(page: number): Task {
    yield* store(this.#ptes[page] as Variable, 0);
    if (this.#locked) yield* this.#lock.lock();
    const asid = yield* load(this.#domainAsid);
    yield* effect('TLBI', () => this.#invalidate(asid, page));
    yield* effect('CMD_SYNC', () => undefined);
    if (this.#locked) yield* this.#lock.unlock();
    yield* store(this.#freed[page] as Variable, 1);
  }

  *dma(device: number, page: number): Task {
    const [cd, freed, pte] = [this.#cds[device], this.#freed[page], this.#ptes[page]] as [Variable, Variable, Variable];
    const latched = yield* step('latch', () => cd.value * 2 + freed.value);
    const asid = latched >> 1;
    const entry = this.#tlb[asid]?.[page] as Variable;
    const walk = this.#walks[device]?.[asid]?.[page] as Variable;
    const hit = yield* step('look up', () => {
      const found = entry.value !== 0;
      if (found && (latched & 1) === 1)
        this.machine.fail({ monitor: 'tlb', rule: 'stale-translation', message: 'A DMA latched after the free hits.' });
      return found;
    });
    if (hit) return;
    const valid = yield* step('walk', () => {
      if (pte.value === 0) return false;
      walk.value = 1;
      return true;
    });
    if (!valid) return;
    yield* effect('fill', () => {
      if (walk.value === 0) return;
      entry.value = 1;
      walk.value = 0;
    });
  }

  #invalidate(asid: number, page: number): void {
    for (const table of [this.#tlb, ...this.#walks]) {
      const entry = table[asid]?.[page] as Variable;
      entry.value = 0;
    }
  }

  #variable(name: string, value: number): Variable {
    const cell = new Cell(this.machine, name);
    cell.value = value;
    return this.#loud ? new Loud(cell, new Cell(this.machine, `${name} writes`)) : cell;
  }
}

/** A variable of which every write is seen. */
class Loud implements Variable {
  readonly #cell: Cell;
  readonly #writes: Cell;

  constructor(cell: Cell, writes: Cell) {
    this.#cell = cell;
    this.#writes = writes;
  }

  get value(): number {
    return this.#writes.value < 0 ? 0 : this.#cell.value;
  }

  set value(value: number) {
    this.#cell.value = value;
    this.#writes.value++;
  }
}
