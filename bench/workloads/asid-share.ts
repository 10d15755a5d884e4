import type { AgentSpec } from '../../engine/agent.ts';
import { Cell } from '../../engine/cell.ts';
import { Machine } from '../../engine/machine.ts';
import { step, type Task } from '../../engine/step.ts';
import { Mutex } from '../../engine/sync/lock.ts';
import type { System } from '../../engine/system.ts';

/** The canonical workload's parameters: devices, DMAs of each, pages; and whether unmap takes the lock. */
export interface AsidShare {
  readonly devices: number;
  readonly dmas: number;
  readonly pages: number;
  readonly locked: boolean;
}

/** The ASID that the private domain has at first, and the one that it is moved to. */
const OLD = 1;
const NEW = 2;
const PRIVATE = 1;
const PROCESS = 2;

/**
 * A small abstract ASID reassignment race, of which state counts are known from several model checkers: `bind` moves a
 * private domain to a new ASID while `unmap` invalidates by the ASID that it reads and devices fill and use the TLB.
 */
export function asidShare({ devices, dmas, pages, locked }: AsidShare): System {
  const machine = new Machine();
  const cell = (name: string, value: number): Cell => {
    const made = new Cell(machine, name);
    made.value = value;
    return made;
  };
  const list = (count: number, name: string, value: number): Cell[] =>
    Array.from({ length: count }, (_, index) => cell(`${name}${index}`, value));

  const lock = new Mutex(machine, 'asid_lock');
  const owner = cell('owner(old)', PRIVATE);
  const fresh = cell('fresh', 0);
  const domainAsid = cell('domain.asid', OLD);
  const cd = list(devices, 'cd', OLD);
  const pte = list(pages, 'pte', 1);
  const freed = list(pages, 'freed', 0);
  /** For each ASID, a bit for each page that the TLB holds. */
  const tlb = [cell('tlb0', 0), cell('tlb(old)', 0), cell('tlb(new)', 0)];
  /** For each device, the ASID of its walk in flight, and the page. */
  const walkAsid = list(devices, 'walk asid', 0);
  const walkPage = list(devices, 'walk page', 0);
  const at = (cells: readonly Cell[], index: number): Cell => cells[index] as Cell;

  const tlbi = (asid: number, mask: number): undefined => {
    at(tlb, asid).value &= ~mask;
    for (let device = 0; device < devices; device++)
      if (at(walkAsid, device).value === asid && (mask & (1 << at(walkPage, device).value)) !== 0) {
        at(walkAsid, device).value = 0;
        at(walkPage, device).value = 0;
      }
  };
  const sync = () => step('CMD_SYNC', () => undefined);

  function* bind(): Task {
    yield* lock.lock();
    const current = yield* owner.load();
    if (current === PRIVATE) {
      yield* step('allocate', () => {
        fresh.value = NEW;
        return undefined;
      });
      yield* domainAsid.store(NEW);
      for (const entry of cd) yield* entry.store(NEW);
      yield* sync();
      yield* step('TLBI ASID old', () => tlbi(OLD, (1 << pages) - 1));
    }
    yield* step('give ASID', () => {
      owner.value = PROCESS;
      return undefined;
    });
    yield* lock.unlock();
  }

  function* unmap(page: number): Task {
    yield* at(pte, page).store(0);
    if (locked) yield* lock.lock();
    const asid = yield* domainAsid.load();
    yield* step('TLBI', () => tlbi(asid, 1 << page));
    yield* sync();
    if (locked) yield* lock.unlock();
    yield* at(freed, page).store(1);
  }

  function* dma(device: number, page: number): Task {
    const latched = yield* step('latch', () => at(cd, device).value * 2 + at(freed, page).value);
    const asid = latched >> 1;
    const hit = yield* step('look up', () => {
      const found = (at(tlb, asid).value & (1 << page)) !== 0;
      if (found && (latched & 1) === 1)
        machine.fail({ monitor: 'tlb', rule: 'stale-translation', message: 'A DMA latched after the free hits.' });
      return found;
    });
    if (hit) return;
    const valid = yield* step('walk', () => {
      if (at(pte, page).value === 0) return false;
      at(walkAsid, device).value = asid;
      at(walkPage, device).value = page;
      return true;
    });
    if (!valid) return;
    yield* step('fill', () => {
      const walked = at(walkAsid, device).value;
      if (walked === 0) return undefined;
      at(tlb, walked).value |= 1 << page;
      at(walkAsid, device).value = 0;
      at(walkPage, device).value = 0;
      return undefined;
    });
  }

  const agent = (name: string, tasks: (() => Task)[]): AgentSpec => ({
    name,
    context: 'process',
    daemon: false,
    operations: tasks.map((start, index) => ({ label: `${name} ${index}`, start })),
  });
  return {
    machine,
    agents: [
      agent('bind', [bind]),
      agent(
        'unmap',
        Array.from({ length: pages }, (_, page) => () => unmap(page)),
      ),
      ...Array.from({ length: devices }, (_, device) =>
        agent(
          `device${device}`,
          Array.from({ length: dmas }, (_unused, index) => () => dma(device, (device + index) % pages)),
        ),
      ),
    ],
  };
}

/** The sizes at which the counts are known: (D, K, P). */
export const SIZES = {
  S: { devices: 2, dmas: 2, pages: 1 },
  M: { devices: 2, dmas: 4, pages: 2 },
  L: { devices: 3, dmas: 3, pages: 2 },
} as const;
