import { receiveMessageOnPort } from 'node:worker_threads';
import { DepthFirst } from '../dfs.ts';
import { Frame } from '../frame.ts';
import { search, type SearchOptions, type SearchResult } from '../search.ts';
import { Control, PREFIX_MAX, SIGNAL } from './control.ts';
import type { BuildWorld, FromThread, Job, SearchWorld, ToThread } from './job.ts';
import { isFull, SharedTable } from './table.ts';
import { Backlog, type Branches, type Unit } from '../unit.ts';

/** New states between two looks at what is asked of this thread, as a mask. */
const POLL_MASK = 3;
/** Looks between two at how full the table is, as a mask. */
const COUNT_EVERY = 0x3f;
/** Looks between two attempts to give something away, when there was nothing. */
const GIFTLESS = 16;

/** The first looks, at which this thread does as if everything were asked of it. */
const EARLY = 128;

/** Does one thread's part of a search, in this thread; comes back when all of it is done. */
export function runJob(job: Job, build: BuildWorld): void {
  const say = (message: FromThread): void => job.port.postMessage(message);
  try {
    const world = build(job.description);
    if (job.alone) searchAlone(job, world, say);
    else new Searcher(job, world, say).run();
  } catch (error) {
    say({ type: 'failed', error });
    new Control(job.threads, job.control).raise(SIGNAL.STOP);
  }
  say({ type: 'ended' });
}

/** The whole search is this thread's, and nothing of it is saved: as where there are no threads. */
function searchAlone({ threads, control: memory, index, options }: Job, world: SearchWorld, say: Say): void {
  const control = new Control(threads, memory);
  const { wanted } = world;
  const stop = (states: number): boolean => {
    control.count(index, { states, transitions: 0, ends: 0, depth: 0, failures: 0 });
    return (control.signals & SIGNAL.STOP) !== 0;
  };
  const result = search(world.system, { ...options, stop, ...(wanted === undefined ? {} : { wanted }) });
  control.count(index, result);
  tell(result, say);
}

type Say = (message: FromThread) => void;

function tell({ verdict, failure, schedule, bound, omissions }: SearchResult, say: Say): void {
  if (verdict === 'violation' && failure !== undefined && schedule !== undefined)
    say({ type: 'found', failure, schedule });
  if (bound === undefined || bound === 'stopped') return;
  say(omissions === undefined ? { type: 'bound', bound } : { type: 'bound', bound, omissions });
}

/**
 * One of the threads of a depth-first search. It explores a unit with a world of its own, and then asks for another. While
 * it is busy it looks at each state whether another thread is idle, and gives that one the untried steps nearest the root:
 * the largest piece that it has. All threads mark the states that they reach in one table, so none is explored twice.
 */
class Searcher {
  readonly #job: Job;
  readonly #say: Say;
  readonly #control: Control;
  readonly #table: SharedTable;
  readonly #frame: Frame;
  readonly #search: DepthFirst;
  readonly #backlog: Backlog;
  /** True while a unit is being explored. */
  #busy = false;
  #ticks = 0;
  #nextGift = 0;

  constructor(job: Job, world: SearchWorld, say: Say) {
    this.#job = job;
    this.#say = say;
    this.#control = new Control(job.threads, job.control);
    this.#table = new SharedTable(job.table);
    this.#backlog = new Backlog(job.backlog);
    const { wanted } = world;
    const options: SearchOptions = {
      ...job.options,
      ...(wanted === undefined ? {} : { wanted }),
      stop: () => this.#attend(),
    };
    world.system.machine.agents = world.system.agents;
    world.system.machine.failure = undefined;
    this.#frame = new Frame(world.system, options, this.#table);
    this.#search = new DepthFirst(this.#frame, options, POLL_MASK);
  }

  run(): void {
    try {
      for (let unit = this.#next(); unit !== undefined; unit = this.#next()) {
        this.#busy = true;
        const result = this.#search.explore(unit);
        this.#busy = false;
        if (result.verdict === 'exhausted') continue;
        tell(result, this.#say);
        this.#control.raise(SIGNAL.STOP);
        break;
      }
      this.#count();
    } finally {
      this.#frame.restore();
    }
  }

  /** The next unit; undefined at the end of the search. */
  #next(): Unit | undefined {
    const { index } = this.#job;
    const control = this.#control;
    if (this.#attend()) return undefined;
    const own = this.#backlog.take();
    if (own !== undefined) return own;
    this.#count();
    control.becomeIdle(index);
    for (;;) {
      const unit = control.receive(index);
      const { signals } = control;
      if ((signals & SIGNAL.STOP) !== 0) return undefined;
      if (unit !== undefined) return unit;
      if ((signals & SIGNAL.DONE) !== 0) return undefined;
      if ((signals & SIGNAL.PAUSE) === 0 || !control.close(index)) continue;
      this.#pauseIf(true);
      control.open(index);
    }
  }

  /** Looks at what is asked of this thread, between two states; true: to stop. */
  #attend(): boolean {
    const control = this.#control;
    const tick = ++this.#ticks;
    if ((tick & COUNT_EVERY) === 0) {
      this.#count();
      this.#checkTotal();
    }
    // What compiled code has never seen called makes it start again from the interpreter, in the midst of the search.
    const isEarly = tick <= EARLY;
    const { signals } = control;
    if ((signals !== 0 || isEarly) && this.#obey(signals)) return true;
    if (control.idle > 0 || isEarly) this.#give();
    return false;
  }

  /** Does what is asked; true: to stop. */
  #obey(signals: number): boolean {
    this.#pauseIf((signals & SIGNAL.PAUSE) !== 0);
    return (this.#control.signals & SIGNAL.STOP) !== 0;
  }

  #give(): void {
    // With nothing to give now there will hardly be something soon.
    if (this.#ticks < this.#nextGift) return;
    const given = this.#control.give(
      () => this.#backlog.take(PREFIX_MAX) ?? (this.#busy ? this.#search.split(PREFIX_MAX) : undefined),
    );
    if (!given) this.#nextGift = this.#ticks + GIFTLESS;
  }

  /** Publishes this thread's counts. */
  #count(): void {
    const { transitions, ends, depth, failures } = this.#frame;
    this.#control.count(this.#job.index, { states: this.#table.size, transitions, ends, depth, failures });
  }

  /** Asks for a larger table when this one is filled, and ends the search at the bound on states. */
  #checkTotal(): void {
    const states = this.#job.statesBefore + this.#control.total().states;
    if (states >= this.#frame.statesMax) {
      this.#say({ type: 'bound', bound: 'states' });
      this.#control.raise(SIGNAL.STOP);
    } else if (isFull(states, this.#table.capacity)) this.#control.raise(SIGNAL.PAUSE);
  }

  /** Stands still until all is arranged, if that is wanted. */
  #pauseIf(wanted: boolean): void {
    if (!wanted) return;
    const control = this.#control;
    const { pauses } = control;
    this.#count();
    const branches: Branches[] = this.#backlog.rest();
    if (this.#busy) branches.push(this.#search.branches());
    this.#say({ type: 'parked', branches });
    control.waitForResume(pauses);
    const received = receiveMessageOnPort(this.#job.port) as { readonly message: ToThread } | undefined;
    if (received === undefined) return;
    const { table } = received.message;
    this.#table.moveTo(
      table,
      () => control.nextPart(),
      () => control.waitUntilMoved(pauses + 1),
    );
  }
}
