import type { AgentSpec } from '../../../engine/agent.ts';
import { Cell } from '../../../engine/cell.ts';
import { forget, step, waitStep, type Task } from '../../../engine/step.ts';
import { Mutex, SpinLock } from '../../../engine/sync/lock.ts';
import type { Waitable } from '../../../engine/waitable.ts';
import { FaultFile } from './fault-file.ts';
import type { IopfKernel } from './kernel.ts';
import { HandleList, type AttachHandle, type IopfGroup } from './objects.ts';

/** Cookies that a fault object gives out: as many as a run can need. */
const COOKIES = 6;

/**
 * The fault object of iommufd (`drivers/iommu/iommufd/eventq.c`): groups wait in `deliver` until user space reads them, then
 * in `response` under a cookie until it answers them. Detach answers those of its handle in both places, and nobody sees
 * a group that is in neither: one mutex is over read, write and detach.
 */
export class IommufdFault {
  protected readonly kernel: IopfKernel;
  /** `fault->mutex`. */
  protected readonly mutex: Mutex;
  /** `fault->common.lock`, over `deliver`, which the interrupt thread takes too. */
  protected readonly lock: SpinLock;
  /** Groups that nobody has read, by handle. */
  protected readonly deliver: HandleList;
  /** Groups that have been read, by cookie; 0: none. */
  protected readonly response: readonly Cell[];
  /** Its file, where that can be closed. */
  readonly file: FaultFile | undefined;
  /** 1 when nobody will read any more, under `lock`. */
  readonly #closed: Cell | undefined;

  constructor(kernel: IopfKernel) {
    this.kernel = kernel;
    const { machine } = kernel;
    this.mutex = new Mutex(machine, 'fault.mutex');
    this.lock = new SpinLock(machine, 'fault.lock');
    const format = (_at: number, handle: number): string => (handle === 0 ? 'none' : `group${handle - 1}`);
    const row = (name: string): Cell[] =>
      Array.from({ length: COOKIES }, (_, at) => new Cell(machine, `${name}[${at}]`, { format }));
    this.deliver = new HandleList(row('deliver'));
    this.response = row('response');
    const { closable } = kernel.layout;
    this.file = closable ? new FaultFile(kernel, this) : undefined;
    this.#closed = closable ? new Cell(machine, 'fault.closed') : undefined;
  }

  /** `iommufd_fault_iopf_handler()`. False if nobody will read it. */
  *iopf_handler(group: IopfGroup): Task<boolean> {
    yield* this.lock.lock();
    const added = yield* step(
      `list_add_tail(${group.name}, deliver)`,
      () => {
        if (this.#closed?.value === 1) return false;
        this.deliver.add(group.handle);
        return true;
      },
      (taken) => (taken ? undefined : 'closed'),
    );
    yield* this.lock.unlock();
    return added;
  }

  /**
   * The file is released: nobody will read or answer any more, so all that there is is refused, and whatever comes. (That of
   * Linux 7.2 does nothing, and groups stay until their device is detached.)
   */
  *fops_release(): Task {
    yield* this.mutex.lock();
    yield* this.refuse(yield* this.takeAll());
    yield* this.mutex.unlock();
  }

  /** Every group, taken out, and no more of them: their handles as words. */
  protected *takeAll(): Task<string> {
    yield* this.lock.lock();
    const delivered = yield* step('all groups in deliver', () => {
      this.shut();
      const taken = this.deliver.take(() => true);
      if (taken.length > 0) this.kernel.note('closed with groups that nobody has read');
      return taken.join(' ');
    });
    yield* this.lock.unlock();
    const read = yield* step('all groups in response', () => {
      const found = this.response.filter((cell) => cell.value !== 0);
      const taken = found.map((cell) => cell.value);
      for (const cell of found) cell.value = 0;
      if (taken.length > 0) this.kernel.note('closed with groups that nobody has answered');
      return taken.join(' ');
    });
    return [delivered, read].filter((words) => words !== '').join(' ');
  }

  /** Nothing is delivered any more. Inside a step. */
  protected shut(): void {
    if (this.#closed !== undefined) this.#closed.value = 1;
  }

  /**
   * `iommufd_fault_fops_read()` of one group. Returns its cookie, -1 if there is none or it could not be handed over.
   *
   * @param faults `copy_to_user()` fails.
   */
  *fops_read(faults: boolean): Task<number> {
    yield* this.mutex.lock();
    const group = yield* this.deliver_fetch();
    const cookie = group === 0 ? -1 : faults ? yield* this.deliver_restore(group) : yield* this.handOver(group);
    yield* this.mutex.unlock();
    return cookie;
  }

  /** `iommufd_fault_deliver_fetch()`: the oldest group, which is then in no list; 0 if there is none. */
  protected *deliver_fetch(): Task<number> {
    yield* this.lock.lock();
    const group = yield* step('list_del(deliver)', () => {
      const [oldest = 0] = this.deliver.handles;
      this.deliver.take((handle) => handle === oldest);
      return oldest;
    });
    yield* this.lock.unlock();
    return group;
  }

  /** `iommufd_fault_deliver_restore()`: back in front. */
  protected *deliver_restore(group: number): Task<number> {
    yield* this.lock.lock();
    yield* step('list_add(deliver)', () => {
      this.deliver.addFirst(group);
      return undefined;
    });
    yield* this.lock.unlock();
    return -1;
  }

  /** `copy_to_user()` of each request, with the device that its handle is of; then `xa_alloc()` of the cookie. */
  protected *handOver(handle: number): Task<number> {
    const { groups, handles } = this.kernel;
    yield* step(
      `copy_to_user(group${handle - 1})`,
      () => `mm${handles.at(groups.at(handle).attached.value).space.value}`,
    );
    return yield* step(`xa_alloc(response, group${handle - 1})`, () => {
      const cookie = this.response.findIndex((cell) => cell.value === 0);
      (this.response[cookie] as Cell).value = handle;
      return cookie;
    });
  }

  /** `iommufd_fault_fops_write()`: user space has looked after a group. False if there is none with this cookie. */
  *fops_write(cookie: number): Task<boolean> {
    yield* this.mutex.lock();
    const handle = yield* this.eraseCookie(cookie);
    if (handle !== 0) yield* this.answer(this.kernel.groups.at(handle));
    yield* this.mutex.unlock();
    return handle !== 0;
  }

  /** `xa_erase(response, cookie)`: it returns a group once. */
  protected *eraseCookie(cookie: number): Task<number> {
    const cell = this.cookieCell(cookie);
    return yield* step(`xa_erase(response, ${cookie})`, () => {
      const handle = cell.value;
      cell.value = 0;
      return handle;
    });
  }

  /** The response that user space gives, after it has made the pages present. */
  protected *answer(group: IopfGroup): Task {
    const { pgfault } = this.kernel;
    yield* pgfault.handled(group);
    yield* pgfault.iopf_group_response(group, true);
    yield* pgfault.iopf_free_group(group);
  }

  /** `iommufd_auto_response_faults()`: no group refers to the handle any more. */
  *auto_response_faults(handle: AttachHandle): Task {
    yield* this.mutex.lock();
    yield* this.refuse(yield* this.takeDelivered(handle));
    yield* this.refuse(yield* this.takeRead(handle));
    yield* this.mutex.unlock();
  }

  /** Groups of a handle that nobody has read, taken out: their handles as words. */
  protected *takeDelivered(handle: AttachHandle): Task<string> {
    yield* this.lock.lock();
    const taken = yield* step(`groups of ${handle.name} in deliver`, () =>
      this.deliver.take((group) => this.isOf(group, handle)).join(' '),
    );
    yield* this.lock.unlock();
    return taken;
  }

  /** The same of groups that user space has read and not answered. */
  protected *takeRead(handle: AttachHandle): Task<string> {
    return yield* step(`groups of ${handle.name} in response`, () => {
      const found = this.response.filter((cell) => cell.value !== 0 && this.isOf(cell.value, handle));
      const taken = found.map((cell) => cell.value);
      for (const cell of found) cell.value = 0;
      if (taken.length > 0) this.kernel.note('group read and not answered at detach');
      return taken.join(' ');
    });
  }

  protected isOf(group: number, handle: AttachHandle): boolean {
    return this.kernel.groups.at(group).attached.value === handle.handle;
  }

  protected *refuse(taken: string): Task {
    const { pgfault, groups } = this.kernel;
    for (const handle of taken === '' ? [] : taken.split(' ')) {
      const group = groups.at(Number(handle));
      yield* pgfault.iopf_group_response(group, false);
      yield* pgfault.iopf_free_group(group);
    }
  }

  protected cookieCell(cookie: number): Cell {
    const cell = this.response[cookie];
    if (cell === undefined) throw new RangeError(`cookies are 0 to ${COOKIES - 1}`);
    return cell;
  }

  /** A VMM that answers what it reads, for the agents of a world. */
  daemon(): AgentSpec {
    const start = (): Task => this.#vmm();
    return { name: 'vmm', context: 'process', daemon: true, operations: [{ label: 'page faults', start }] };
  }

  /** `read()`, by its file if that can be closed. */
  *read(faults: boolean): Task<number> {
    return yield* this.file === undefined ? this.fops_read(faults) : this.file.read(faults);
  }

  /** `write()`, likewise. */
  *write(cookie: number): Task<boolean> {
    return yield* this.file === undefined ? this.fops_write(cookie) : this.file.write(cookie);
  }

  *#vmm(): Task {
    const readable: Waitable = {
      name: 'a fault to read',
      ready: () => this.deliver.isFilled() && (this.file === undefined || this.file.isOpen()),
    };
    for (;;) {
      yield* forget('idle');
      yield* waitStep('poll', readable, () => undefined);
      const cookie = yield* this.read(false);
      if (cookie >= 0) yield* this.write(cookie);
    }
  }
}
