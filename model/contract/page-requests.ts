import type { Store } from '../../engine/store.ts';
import type { PageRequestEvent } from './events.ts';
import type { Verdict } from './violation.ts';

/** What the monitor watches. */
export interface PageRequestWorld {
  readonly devices: number;
  /** PASIDs are 1 … pasids. */
  readonly pasids: number;
  /** Most requests of a run. */
  readonly requests: number;
  /** Spaces are processes, which may exit: so many. Default: they are there for good. */
  readonly processes?: number;
  /** Those who look after requests may go. Default: they are there for good. */
  readonly closable?: boolean;
  /** A space whose requests nobody looks after: all that is in it is pinned. Default: there is none. */
  readonly pinned?: number;
}

/** Life of a request. */
const [UNSENT, WAITING, HANDLED, DONE] = [0, 1, 2, 3];

/** State of a process. */
const [EXITED, FREED] = [1, 2];

/** Flags of a request. */
const LAST = 1;
/** What it was made through is going, or there is no memory for it: nobody need look after it any more. */
const EXCUSED = 2;
/** What it was made through has gone: nobody may touch it any more. */
const LATE = 4;
/** Its PASID goes to another space: the function may be told to try again, by whatever entry there is then. */
const RETRY = 8;
/** Its index was used again before its response: any answer will do, to any of the requests that have it. */
const REPEATED = EXCUSED | RETRY | 16;

type Request = Extract<PageRequestEvent, { readonly type: 'pri.request' }>;
type Response = Extract<PageRequestEvent, { readonly type: 'pri.respond' }>;

/**
 * What becomes of page requests.
 *
 * - `response-not-asked`: a last request is answered once, and no other message is: a second response would complete another
 *   group that has the same index by then (PCIe ATS §10.4.2; kernel: `iommu_report_device_fault()`).
 * - `response-wrong-pasid`: it goes back with the PASID that the request had.
 * - `wrong-space`: a request is looked after in the space that its PASID led to when it was made, and in no other: else a
 *   page of somebody else is made present, or touched (kernel: comment of `iopf_queue_flush_dev()`). One that was made
 *   while its PASID led nowhere is a device's own idea: it may be refused, or looked after wherever the PASID leads by then.
 * - `handled-after-detach`, `answered-after-detach`: when detach has returned, nothing of what was asked before is under
 *   way: the next owner of the PASID would get it (kernel: `intel_iommu_drain_pasid_prq()`).
 * - `refused-while-attached`: a request is only refused if what it was made through is not there any more, or is going
 *   (kernel: `iommu_attach_device_pasid()`). Of a page that does not exist the monitor knows nothing: there is none.
 *   While a PASID goes from one space to another its requests may also be told to try again: success that nobody has looked
 *   after. Which space one belongs to cannot be seen in the request (kernel: `iommu_replace_device_pasid()`).
 * - `group-merged`: what is answered with a group belongs to it, not to an earlier one with the same index whose last request
 *   was lost when the queue overflowed (IHI 0070 §8.1.1; kernel: `iopf_queue_discard_partial()`).
 * - `answered-unhandled`: success is not reported for a request that nobody has looked after.
 * - `disabled-for-good`: no response is a Failure. It disables page requests of the function, and nothing enables them
 *   again: whatever it is attached to, it never gets a page any more (PCIe ATS, Response Failure; kernel:
 *   `IOMMU_PAGE_RESP_FAILURE`). Lack of memory passes, so it is no reason.
 * - `handled-not-faultable`: a domain whose pages are pinned has nobody who looks after requests: they are refused (kernel:
 *   `find_fault_handler()`, `domain->iopf_handler`).
 * - `handled-after-exit`: nothing is looked after in a process that has exited: its request is refused (kernel:
 *   `mmget_not_zero()` in the handler).
 * - `walked-after-exit`: from the time that its page tables are freed no function walks them, although it may go on, and is
 *   still bound (kernel: `mmu_notifier_release()`, comment of `intel_mm_release()`).
 * - `error-while-bound`: a function that is bound is not told to be in error for using its PASID, whether the process is
 *   still there or not (kernel: comment of `arm_smmu_mm_release()`).
 * - `unanswered`: in the end each last request has been answered.
 */
export class PageRequestMonitor {
  readonly #store: Store;
  readonly #world: PageRequestWorld;
  readonly #life: number;
  readonly #flags: number;
  readonly #spaces: number;
  readonly #groups: number;
  /** Device and PASID of a request. */
  readonly #from: number;
  /** For each device and PASID, 1 while it goes to another space. */
  readonly #replacing: number;
  /** For each process, `EXITED` and then `FREED`; for each device and PASID, 1 while it is bound. */
  readonly #processes: number;
  readonly #bound: number;
  /** 1 when nobody looks after requests any more. */
  readonly #closed: number;

  constructor(store: Store, world: PageRequestWorld) {
    this.#store = store;
    this.#world = world;
    const row = (name: string): number => store.reserve(world.requests + 1, `contract.requests.${name}`);
    this.#life = row('life');
    this.#flags = row('flags');
    this.#spaces = row('space');
    this.#groups = row('group');
    this.#from = row('from');
    this.#replacing = store.reserve(world.devices * (world.pasids + 1), 'contract.requests.replacing');
    const processes = world.processes ?? 0;
    this.#processes = processes === 0 ? -1 : store.reserve(processes, 'contract.requests.processes');
    this.#bound = processes === 0 ? -1 : store.reserve(world.devices * (world.pasids + 1), 'contract.requests.bound');
    this.#closed = world.closable === true ? store.reserve(1, 'contract.requests.closed') : -1;
  }

  /** Folds an event in. */
  on(event: PageRequestEvent): Verdict {
    switch (event.type) {
      case 'pri.request':
        this.#sent(event);
        return this.#checkWalk(event.space);
      case 'pri.overflowed':
        this.#store.set(this.#life + event.id, DONE);
        return undefined;
      case 'pri.handle':
        return this.#handled(event.id, event.space);
      case 'pri.respond':
        return this.#answered(event);
      case 'pri.detach.begin':
        this.#mark(event, EXCUSED);
        this.#setBound(event.device, event.pasid, 0);
        return undefined;
      case 'pri.exit':
        this.#store.set(this.#processes + event.space, EXITED);
        for (const id of this.#ids()) if (this.#spaceOf(id) === event.space) this.#flag(id, EXCUSED);
        return undefined;
      case 'pri.tables-freed':
        this.#store.set(this.#processes + event.space, FREED);
        return undefined;
      case 'pri.closed':
        if (this.#closed >= 0) this.#store.set(this.#closed, 1);
        for (const id of this.#ids()) this.#flag(id, EXCUSED);
        return undefined;
      case 'pri.unconfigured':
        return this.#checkBound(event.device, event.pasid);
      case 'pri.detach.end':
        this.#mark(event, LATE);
        return undefined;
      case 'pri.no-memory':
        if (this.#has(event.id, LAST)) this.#flag(event.id, EXCUSED);
        else this.#store.set(this.#life + event.id, DONE);
        return undefined;
      case 'pri.replace.begin':
        this.#store.set(this.#replacing + this.#place(event.device, event.pasid), 1);
        this.#mark({ ...event, space: event.from }, EXCUSED);
        for (const id of this.#ids())
          if (this.#store.get(this.#from + id) === this.#place(event.device, event.pasid)) this.#flag(id, RETRY);
        return undefined;
      case 'pri.replace.end':
        this.#store.set(this.#replacing + this.#place(event.device, event.pasid), 0);
        this.#mark({ ...event, space: event.from }, LATE);
        return undefined;
      case 'pri.attach.begin':
        this.#setBound(event.device, event.pasid, 1);
        return undefined;
      case 'pri.attach.end':
        return undefined;
    }
  }

  /** Whether a request was made through something that has been detached since: it is too late for it. */
  isLate(id: number): boolean {
    return this.#has(id, LATE);
  }

  /** Whether something that was asked through a space has not been answered yet. */
  isWaiting(space: number): boolean {
    return this.#ids().some(
      (id) => this.#has(id, LAST) && this.#store.get(this.#life + id) !== DONE && this.#spaceOf(id) === space,
    );
  }

  /** Nothing runs any more: what was forgotten. */
  atEnd(): Verdict {
    for (const id of this.#ids())
      if (this.#has(id, LAST) && this.#store.get(this.#life + id) !== DONE)
        return broken('unanswered', `${this.#name(id)} has never been answered.`, id);
    return undefined;
  }

  #sent({ id, device, pasid, group, last, space }: Request): void {
    if (id < 1 || id > this.#world.requests) throw new RangeError(`a run has at most ${this.#world.requests} requests`);
    const store = this.#store;
    // An index that is used again before its response: whichever answer comes may be for either.
    const repeated = last ? this.#outstanding(device, group) : [];
    for (const other of repeated) this.#flag(other, REPEATED);
    const either = repeated.length > 0 ? REPEATED : 0;
    store.set(this.#life + id, WAITING);
    const replaced = store.get(this.#replacing + this.#place(device, pasid)) === 1 ? EXCUSED | RETRY : 0;
    // What is cached of an entry is used until detach has flushed it.
    const going = this.#bound >= 0 && store.get(this.#bound + this.#place(device, pasid)) === 0;
    const closed = this.#closed >= 0 && store.get(this.#closed) === 1;
    const pinned = space >= 0 && space === this.#world.pinned;
    const excused = this.#processOf(space) === 0 && !going && !closed && !pinned ? 0 : EXCUSED;
    store.set(this.#flags + id, (last ? LAST : 0) | replaced | excused | either);
    store.set(this.#spaces + id, space + 1);
    store.set(this.#groups + id, group);
    store.set(this.#from + id, this.#place(device, pasid));
  }

  #handled(id: number, space: number): Verdict {
    const own = this.#spaceOf(id);
    if (this.#processOf(space) !== 0)
      return broken(
        'handled-after-exit',
        `${this.#name(id)} is looked after in ${spaceName(space)}, which has exited.`,
        id,
      );
    if (space === this.#world.pinned)
      return broken(
        'handled-not-faultable',
        `${this.#name(id)} is looked after in ${spaceName(space)}, all of which is pinned.`,
        id,
      );
    if (own >= 0 && own !== space)
      return broken(
        'wrong-space',
        `${this.#name(id)} was made through ${spaceName(own)} and is looked after in ${spaceName(space)}.`,
        id,
      );
    if (this.#has(id, LATE))
      return broken('handled-after-detach', `${this.#name(id)} is looked after although detach has returned.`, id);
    // One whose index was repeated may have had the answer to the other one.
    const answered = this.#has(id, LAST) && this.#store.get(this.#life + id) === DONE;
    if (!answered) this.#store.set(this.#life + id, HANDLED);
    return undefined;
  }

  #answered({ device, pasid, group, response }: Response): Verdict {
    const success = response === 'Success';
    const id = this.#waitingFor(device, group, pasid);
    if (id === undefined) {
      const message = `dev${device} gets a response to PRG ${group} with PASID ${pasid}, and waits for none.`;
      return { monitor: 'page-requests', rule: 'response-not-asked', message, data: { device, pasid, group } };
    }
    if (this.#store.get(this.#from + id) !== this.#place(device, pasid))
      return broken('response-wrong-pasid', `${this.#name(id)} is answered with PASID ${pasid}.`, id);
    if (this.#has(id, LATE))
      return broken('answered-after-detach', `${this.#name(id)} is answered although detach has returned.`, id);
    if (response === 'Failure')
      return broken(
        'disabled-for-good',
        `${this.#name(id)} is answered with Failure: dev${device} asks for no page any more.`,
        id,
      );
    const life = this.#store.get(this.#life + id);
    this.#store.set(this.#life + id, DONE);
    const merged = success ? this.#ids().find((other) => this.#isMerged(other, id)) : undefined;
    if (merged !== undefined)
      return broken(
        'group-merged',
        `${this.#name(merged)} is answered together with a later group of that index.`,
        merged,
      );
    for (const other of this.#ids())
      if (!this.#has(other, LAST) && this.#isSibling(other, id) && this.#store.get(this.#life + other) === HANDLED)
        this.#store.set(this.#life + other, DONE);
    if (success) {
      if (life === HANDLED || this.#has(id, RETRY)) return undefined;
      return broken(
        'answered-unhandled',
        `${this.#name(id)} is answered with success, and nobody has looked after it.`,
        id,
      );
    }
    if (this.#has(id, EXCUSED) || this.#store.get(this.#spaces + id) === 0) return undefined;
    return broken(
      'refused-while-attached',
      `${this.#name(id)} is refused while its PASID leads to ${spaceName(this.#store.get(this.#spaces + id) - 1)}.`,
      id,
    );
  }

  /** The last request of a group that has no response yet; if there are several, one of this PASID. */
  #waitingFor(device: number, group: number, pasid: number): number | undefined {
    const waiting = this.#outstanding(device, group);
    return waiting.find((id) => this.#store.get(this.#from + id) === this.#place(device, pasid)) ?? waiting[0];
  }

  /** Last requests of an index that have no response yet. */
  #outstanding(device: number, group: number): number[] {
    return this.#ids().filter(
      (id) =>
        this.#has(id, LAST) &&
        this.#store.get(this.#groups + id) === group &&
        Math.floor(this.#store.get(this.#from + id) / (this.#world.pasids + 1)) === device &&
        this.#store.get(this.#life + id) !== DONE,
    );
  }

  /** A request that was handled for the group of `last`, and was sent for one before. */
  #isMerged(id: number, last: number): boolean {
    if (
      id >= last ||
      this.#has(id, LAST) ||
      this.#is(last, REPEATED) ||
      this.#store.get(this.#life + id) !== HANDLED ||
      !this.#isSibling(id, last)
    )
      return false;
    return this.#ids().some((end) => end > id && end < last && this.#has(end, LAST) && this.#isSibling(end, last));
  }

  #isSibling(id: number, other: number): boolean {
    return (
      this.#store.get(this.#from + id) === this.#store.get(this.#from + other) &&
      this.#store.get(this.#groups + id) === this.#store.get(this.#groups + other)
    );
  }

  #mark(
    { device, pasid, space }: { readonly device: number; readonly pasid: number; readonly space: number },
    flag: number,
  ): void {
    for (const id of this.#ids()) {
      if (this.#store.get(this.#from + id) !== this.#place(device, pasid)) continue;
      if (this.#store.get(this.#spaces + id) !== space + 1) continue;
      this.#flag(id, flag);
    }
  }

  #flag(id: number, flag: number): void {
    this.#store.set(this.#flags + id, this.#store.get(this.#flags + id) | flag);
  }

  #ids(): number[] {
    const ids: number[] = [];
    for (let id = 1; id <= this.#world.requests; id++) if (this.#store.get(this.#life + id) !== UNSENT) ids.push(id);
    return ids;
  }

  /** A function has walked the tables of a space. */
  #checkWalk(space: number): Verdict {
    if (this.#processOf(space) !== FREED) return undefined;
    return {
      monitor: 'page-requests',
      rule: 'walked-after-exit',
      message: `A device walks the page tables of ${spaceName(space)}, which are freed.`,
      data: { space },
    };
  }

  #checkBound(device: number, pasid: number): Verdict {
    if (this.#bound < 0 || this.#store.get(this.#bound + this.#place(device, pasid)) === 0) return undefined;
    return {
      monitor: 'page-requests',
      rule: 'error-while-bound',
      message: `dev${device} uses PASID ${pasid}, by which it is bound, and there is no entry.`,
      data: { device, pasid },
    };
  }

  #setBound(device: number, pasid: number, bound: 0 | 1): void {
    if (this.#bound >= 0) this.#store.set(this.#bound + this.#place(device, pasid), bound);
  }

  /** 0: there for good, or still there. */
  #processOf(space: number): number {
    return this.#processes < 0 || space < 0 ? 0 : this.#store.get(this.#processes + space);
  }

  /** The space that a request was made through, -1 for none. */
  #spaceOf(id: number): number {
    return this.#store.get(this.#spaces + id) - 1;
  }

  #is(id: number, flags: number): boolean {
    return (this.#store.get(this.#flags + id) & flags) === flags;
  }

  #has(id: number, flag: number): boolean {
    return (this.#store.get(this.#flags + id) & flag) !== 0;
  }

  #place(device: number, pasid: number): number {
    return device * (this.#world.pasids + 1) + pasid;
  }

  #name(id: number): string {
    const from = this.#store.get(this.#from + id);
    const pasid = from % (this.#world.pasids + 1);
    const device = (from - pasid) / (this.#world.pasids + 1);
    return `The ${this.#has(id, LAST) ? 'last ' : ''}request of PRG ${this.#store.get(this.#groups + id)} of dev${device} with PASID ${pasid}`;
  }
}

function spaceName(space: number): string {
  return space < 0 ? 'nothing' : `mm${space}`;
}

function broken(rule: string, message: string, id: number): Verdict {
  return { monitor: 'page-requests', rule, message, data: { request: id } };
}
