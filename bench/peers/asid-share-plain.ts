import type { AsidShare } from '../workloads/asid-share.ts';

const OLD = 1;
const NEW = 2;
const PRIVATE = 1;
const PROCESS = 2;

/**
 * The unlocked version of the canonical workload on plain JavaScript fields, for peers that have no store: the effect of
 * each atomic step is one method, and `steps` counts them.
 */
export class PlainWorld {
  readonly size: AsidShare;
  steps = 0;
  stale = false;
  owner = PRIVATE;
  fresh = 0;
  domainAsid = OLD;
  readonly cd: number[];
  readonly pte: number[];
  readonly freed: number[];
  readonly tlb = [0, 0, 0];
  readonly walkAsid: number[];
  readonly walkPage: number[];

  constructor(size: AsidShare) {
    this.size = size;
    this.cd = Array.from({ length: size.devices }, () => OLD);
    this.pte = Array.from({ length: size.pages }, () => 1);
    this.freed = Array.from({ length: size.pages }, () => 0);
    this.walkAsid = Array.from({ length: size.devices }, () => 0);
    this.walkPage = Array.from({ length: size.devices }, () => 0);
  }

  invalidate(asid: number, mask: number): void {
    this.tlb[asid] = (this.tlb[asid] as number) & ~mask;
    for (let device = 0; device < this.size.devices; device++)
      if (this.walkAsid[device] === asid && (mask & (1 << (this.walkPage[device] as number))) !== 0) {
        this.walkAsid[device] = 0;
        this.walkPage[device] = 0;
      }
  }

  hits(asid: number, page: number, wasFreed: boolean): boolean {
    const hit = ((this.tlb[asid] as number) & (1 << page)) !== 0;
    if (hit && wasFreed) this.stale = true;
    return hit;
  }

  walks(device: number, asid: number, page: number): boolean {
    if (this.pte[page] === 0) return false;
    this.walkAsid[device] = asid;
    this.walkPage[device] = page;
    return true;
  }

  fill(device: number): void {
    const asid = this.walkAsid[device] as number;
    if (asid === 0) return;
    this.tlb[asid] = (this.tlb[asid] as number) | (1 << (this.walkPage[device] as number));
    this.walkAsid[device] = 0;
    this.walkPage[device] = 0;
  }
}

/** A thread of the plain workload, written with `yield` where another may run before the next step. */
type Thread = Generator<undefined, void, undefined>;

function* bind(world: PlainWorld): Thread {
  yield; // lock: uncontended in this version
  yield;
  if (world.owner === PRIVATE) {
    yield;
    world.fresh = NEW;
    yield;
    world.domainAsid = NEW;
    for (let device = 0; device < world.size.devices; device++) {
      yield;
      world.cd[device] = NEW;
    }
    yield; // CMD_SYNC
    yield;
    world.invalidate(OLD, (1 << world.size.pages) - 1);
  }
  yield;
  world.owner = PROCESS;
  yield; // unlock
}

function* unmap(world: PlainWorld): Thread {
  for (let page = 0; page < world.size.pages; page++) {
    yield;
    world.pte[page] = 0;
    yield;
    const asid = world.domainAsid;
    yield;
    world.invalidate(asid, 1 << page);
    yield; // CMD_SYNC
    yield;
    world.freed[page] = 1;
  }
}

function* deviceThread(world: PlainWorld, index: number): Thread {
  for (let dma = 0; dma < world.size.dmas; dma++) {
    const page = (index + dma) % world.size.pages;
    yield;
    const asid = world.cd[index] as number;
    const wasFreed = world.freed[page] === 1;
    yield;
    if (world.hits(asid, page, wasFreed)) continue;
    yield;
    if (!world.walks(index, asid, page)) continue;
    yield;
    world.fill(index);
  }
}

/** Every thread of the workload as a generator. */
export function threads(world: PlainWorld): Thread[] {
  return [bind(world), unmap(world), ...world.cd.map((_, index) => deviceThread(world, index))];
}

/** Every thread as an async function that awaits `gate` before each step, as one would write it for fast-check's scheduler. */
export function asyncThreads(world: PlainWorld, gate: () => Promise<unknown>): (() => Promise<void>)[] {
  const { size } = world;
  const asyncBind = async (): Promise<void> => {
    await gate(); // lock
    await gate();
    if (world.owner === PRIVATE) {
      await gate();
      world.fresh = NEW;
      await gate();
      world.domainAsid = NEW;
      for (let index = 0; index < size.devices; index++) {
        await gate();
        world.cd[index] = NEW;
      }
      await gate(); // CMD_SYNC
      await gate();
      world.invalidate(OLD, (1 << size.pages) - 1);
    }
    await gate();
    world.owner = PROCESS;
    await gate(); // unlock
  };
  const asyncUnmap = async (): Promise<void> => {
    for (let page = 0; page < size.pages; page++) {
      await gate();
      world.pte[page] = 0;
      await gate();
      const asid = world.domainAsid;
      await gate();
      world.invalidate(asid, 1 << page);
      await gate(); // CMD_SYNC
      await gate();
      world.freed[page] = 1;
    }
  };
  const asyncDevice = async (index: number): Promise<void> => {
    for (let dma = 0; dma < size.dmas; dma++) {
      const page = (index + dma) % size.pages;
      await gate();
      const asid = world.cd[index] as number;
      const wasFreed = world.freed[page] === 1;
      await gate();
      if (world.hits(asid, page, wasFreed)) continue;
      await gate();
      if (!world.walks(index, asid, page)) continue;
      await gate();
      world.fill(index);
    }
  };
  return [asyncBind, asyncUnmap, ...world.cd.map((_, index) => () => asyncDevice(index))];
}
