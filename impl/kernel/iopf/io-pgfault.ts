import { step, type Task } from '../../../engine/step.ts';
import type { IopfKernel } from './kernel.ts';
import { REPLACING, type AttachHandle, type FaultParam, type IopfDevice, type IopfGroup } from './objects.ts';

/** The page-fault queue of devices (`drivers/iommu/io-pgfault.c`). */
export class IoPgfault {
  protected readonly kernel: IopfKernel;
  /** `iopf_handle_group`, as a work function. */
  readonly #work: number;

  constructor(kernel: IopfKernel) {
    this.kernel = kernel;
    this.#work = kernel.wq.work((group) => this.iommu_sva_handle_iopf(kernel.groups.at(group)));
  }

  /**
   * `iommu_report_device_fault()`: a request that is not the last of its group is kept, the last one brings the group to its
   * handler. Without a handler a last request is refused, and any other is dropped: it is not answered.
   */
  *iommu_report_device_fault(device: IopfDevice, code: number): Task {
    const { last, pasid } = this.kernel.port.decode(code);
    const handle = yield* this.find_fault_handler(device, pasid);
    if (handle === undefined) return yield* this.iopf_error_response(code);
    if (handle === 'replacing') return yield* this.tryAgain(code);
    const param = yield* this.iopf_get_dev_fault_param(device);
    if (param === undefined) return yield* this.iopf_error_response(code);
    if (!last) yield* this.report_partial_fault(param, code);
    else yield* this.reportGroup(param, handle, code);
    yield* this.iopf_put_dev_fault_param(param);
  }

  /** `find_fault_handler()`: what the PASID of the request is attached to, if that has a handler. */
  protected *find_fault_handler(device: IopfDevice, pasid: number): Task<AttachHandle | 'replacing' | undefined> {
    const cell = this.pasidCell(device, pasid);
    const found = yield* step(`find_fault_handler(${device.name}, ${pasid})`, () => {
      if (cell.value === 0) this.kernel.note('request without a handler');
      if (this.isPinned(device, pasid)) return 0;
      if (cell.value === REPLACING) this.kernel.note('request while its PASID is replaced');
      return cell.value;
    });
    if (found === REPLACING) return 'replacing';
    return found === 0 ? undefined : this.kernel.handles.at(found);
  }

  /** `domain->iopf_handler` is missing: all that is mapped is pinned, so whoever asks for a page is refused. Inside a step. */
  protected isPinned(device: IopfDevice, pasid: number): boolean {
    if (!this.leadsToPinned(this.pasidCell(device, pasid).value)) return false;
    this.kernel.note('request of a pinned domain');
    return true;
  }

  protected leadsToPinned(handle: number): boolean {
    const { layout, handles } = this.kernel;
    return layout.pinned >= 0 && handle > 0 && handles.at(handle).space.value === layout.pinned;
  }

  /** The PASID goes to another space. Whose request this is cannot be seen, so the device is told to try again. */
  protected *tryAgain(code: number): Task {
    const { device, pasid, group, last } = this.kernel.port.decode(code);
    if (!last) return;
    yield* this.kernel.prq.pageResponse(device, pasid, group, 'Success');
  }

  /** The error path: a refusal, to a last request. */
  protected *iopf_error_response(code: number): Task {
    yield* this.kernel.prq.handle_bad_prq_event(code);
  }

  /** `iopf_get_dev_fault_param()`: under RCU, so one look and one reference. */
  protected *iopf_get_dev_fault_param(device: IopfDevice): Task<FaultParam | undefined> {
    const found = yield* step(`get fault_param of ${device.name}`, () => {
      const handle = device.param.value;
      if (handle === 0) return 0;
      this.kernel.params.at(handle).users.increment();
      return handle;
    });
    return found === 0 ? undefined : this.kernel.params.at(found);
  }

  /** `iopf_put_dev_fault_param()`. */
  *iopf_put_dev_fault_param(param: FaultParam): Task {
    yield* step('put fault_param', () => {
      if (param.users.decrement()) this.kernel.params.free(param.handle);
      return undefined;
    });
  }

  /** `report_partial_fault()`. One that there is no memory for is lost; its group is answered with the last one. */
  protected *report_partial_fault(param: FaultParam, code: number): Task {
    const { iopfs } = this.kernel;
    const handle = yield* step('kzalloc(iopf)', () => {
      if (this.#hasNoMemory(code)) return 0;
      const allocated = iopfs.alloc();
      iopfs.at(allocated).code.value = code;
      return allocated;
    });
    if (handle === 0) return yield* this.partialLost(code);
    yield* param.lock.lock();
    yield* step('list_add(partial)', () => {
      param.partial.add(handle);
      return undefined;
    });
    yield* param.lock.unlock();
  }

  /** A request that is not the last has no answer, so there is nobody to tell. */
  protected *partialLost(_code: number): Task {}

  /** The last request of a group: `iopf_group_alloc()`, then its handler. */
  protected *reportGroup(param: FaultParam, attached: AttachHandle, code: number): Task {
    const group = yield* this.iopf_group_alloc(param, attached, code);
    if (group === undefined) return yield* this.abortGroup(param, code);
    const { fault, wq } = this.kernel;
    if (fault === undefined) yield* wq.queue(this.#work, group.handle);
    else if (!(yield* fault.iopf_handler(group))) yield* this.refuse(group);
  }

  /** Its handler does not take the group. */
  protected *refuse(group: IopfGroup): Task {
    yield* this.iopf_group_response(group, false);
    yield* this.iopf_free_group(group);
  }

  /**
   * `err_abort`: there is no memory for the group. Its requests go, so that they do not join the next one of that index, and
   * the last one is refused. (Linux 6.10 and later answers with Failure here, which ends page requests of the device.)
   */
  protected *abortGroup(param: FaultParam, code: number): Task {
    yield* this.discard(param, (each) => this.belongsTo(each, code));
    yield* this.iopf_error_response(code);
  }

  /** `iopf_group_alloc()`: the requests before the last one join it. Undefined if there is no memory. */
  protected *iopf_group_alloc(param: FaultParam, attached: AttachHandle, code: number): Task<IopfGroup | undefined> {
    const { groups } = this.kernel;
    const handle = yield* step('kzalloc(group)', () => {
      if (this.#hasNoMemory(code)) return 0;
      const allocated = groups.alloc();
      const group = groups.at(allocated);
      group.last.value = code;
      group.param.value = param.handle;
      group.attached.value = attached.handle;
      return allocated;
    });
    if (handle === 0) return undefined;
    const group = groups.at(handle);
    yield* param.lock.lock();
    yield* step('list_move(partial → group)', () => {
      for (const iopf of param.partial.take((each) => this.belongsTo(this.kernel.iopfs.at(each).code.value, code)))
        group.faults.add(iopf);
      if (group.faults.handles.length > 0) this.kernel.note('group of several requests');
      param.faults.add(handle);
      param.users.increment();
      group.pending.value = 1;
      return group.faults.handles.length;
    });
    yield* param.lock.unlock();
    return group;
  }

  /** A request waits for the group of this last one: the PASID counts, since indices are given out anew. */
  protected belongsTo(code: number, last: number): boolean {
    const { decode } = this.kernel.port;
    const [one, other] = [decode(code), decode(last)];
    return one.group === other.group && one.pasid === other.pasid;
  }

  /** `iommu_sva_handle_iopf()`: each request of the group in the address space of its handler, then the response. */
  protected *iommu_sva_handle_iopf(group: IopfGroup): Task {
    const success = yield* this.handled(group);
    yield* this.iopf_group_response(group, success);
    yield* this.iopf_free_group(group);
  }

  /** Each request of the group is looked after. False, and the rest is left, if the process has exited. */
  *handled(group: IopfGroup): Task<boolean> {
    const requests = yield* step(
      'faults of the group',
      () =>
        [...group.faults.handles.map((handle) => this.kernel.iopfs.at(handle).code.value), group.last.value]
          .map(String)
          .join(' '),
      () => undefined,
    );
    for (const request of requests.split(' '))
      if (!(yield* this.iommu_sva_handle_mm(group, Number(request)))) return false;
    return true;
  }

  /**
   * `iommu_sva_handle_mm()`: the page is made present in the handler's address space, which stays meanwhile. False if it is
   * going already.
   */
  protected *iommu_sva_handle_mm(group: IopfGroup, code: number): Task<boolean> {
    const { life, handles } = this.kernel;
    if (life === undefined) {
      yield* this.handle_mm_fault(group, code);
      return true;
    }
    const attached = handles.at(yield* group.attached.load());
    const mm = life.mmOf(yield* attached.space.load());
    if (!(yield* life.mm.mmget_not_zero(mm))) return false;
    yield* this.handle_mm_fault(group, code);
    yield* life.mm.mmput(mm);
    return true;
  }

  protected *handle_mm_fault(group: IopfGroup, code: number): Task {
    const { id, page } = this.kernel.port.decode(code);
    yield* step(`handle_mm_fault(page ${page})`, () => {
      const space = this.kernel.handles.at(group.attached.value).space.value;
      this.kernel.emit({ type: 'pri.handle', id, space });
      return `mm${space}`;
    });
  }

  /** `iopf_group_response()`: once, whoever comes first. */
  *iopf_group_response(group: IopfGroup, success: boolean): Task {
    const param = this.kernel.params.at(yield* group.param.load());
    yield* param.lock.lock();
    const code = yield* step(
      'pending?',
      () => {
        if (group.pending.value === 0) return 0;
        group.pending.value = 0;
        param.faults.take((handle) => handle === group.handle);
        return group.last.value;
      },
      () => undefined,
    );
    if (code !== 0) {
      const { device, pasid, group: index } = this.kernel.port.decode(code);
      yield* this.kernel.prq.pageResponse(device, pasid, index, success ? 'Success' : 'Invalid');
    }
    yield* param.lock.unlock();
  }

  /** `iopf_free_group()`. */
  *iopf_free_group(group: IopfGroup): Task {
    const { iopfs, groups, params } = this.kernel;
    yield* step(`kfree(${group.name})`, () => {
      for (const handle of group.faults.handles) iopfs.free(handle);
      const param = params.at(group.param.value);
      groups.free(group.handle);
      if (param.users.decrement()) params.free(param.handle);
      return undefined;
    });
  }

  /**
   * `iopf_queue_flush_dev()`: all that has been queued is handled and answered, so that it "won't hit the address space of
   * the next process that uses this PASID". No new request of the PASID may come meanwhile.
   */
  *iopf_queue_flush_dev(_device: IopfDevice): Task {
    yield* this.kernel.wq.flush();
  }

  /** `iopf_queue_discard_partial()`: of every device. */
  *iopf_queue_discard_partial(): Task {
    const { queueLock, params, devices } = this.kernel;
    yield* queueLock.lock();
    const list = yield* step(
      'devices of the queue',
      () => this.#queued(devices.live()).map(String).join(' '),
      () => undefined,
    );
    for (const handle of list === '' ? [] : list.split(' ')) yield* this.discard(params.at(Number(handle)), () => true);
    yield* queueLock.unlock();
  }

  /** The allocation for a request fails. Inside a step. */
  #hasNoMemory(code: number): boolean {
    if (!this.kernel.failNth.shouldFail()) return false;
    this.kernel.emit({ type: 'pri.no-memory', id: this.kernel.port.decode(code).id });
    return true;
  }

  /** Handles of the fault parameters of those devices that have any. Inside a step. */
  #queued(devices: readonly number[]): number[] {
    return devices.map((device) => this.kernel.devices.at(device).param.value).filter((param) => param !== 0);
  }

  /** Requests of a PASID whose group never became whole. */
  *discardPartial(device: IopfDevice, pasid: number): Task {
    const found = yield* device.param.load();
    if (found === 0) return;
    const { decode } = this.kernel.port;
    yield* this.discard(this.kernel.params.at(found), (code) => {
      const of = decode(code).pasid === pasid;
      if (of) this.kernel.note('partial group at detach');
      return of;
    });
  }

  /** Drops partial requests for which `which` says so. */
  protected *discard(param: FaultParam, which: (code: number) => boolean): Task {
    const { iopfs } = this.kernel;
    yield* param.lock.lock();
    yield* step('list_del(partial)', () => {
      const taken = param.partial.take((handle) => which(iopfs.at(handle).code.value));
      for (const handle of taken) iopfs.free(handle);
      if (taken.length > 0) this.kernel.note('partial requests discarded');
      return taken.length;
    });
    yield* param.lock.unlock();
  }

  /** A device goes: its partial requests go too, and groups that nobody has answered are refused. */
  *dropAll(param: FaultParam): Task {
    yield* this.discard(param, () => true);
    const groups = yield* step(
      'groups without an answer',
      () => param.faults.handles.map(String).join(' '),
      () => undefined,
    );
    if (groups === '') return;
    for (const handle of groups.split(' '))
      yield* this.iopf_group_response(this.kernel.groups.at(Number(handle)), false);
  }

  protected pasidCell(device: IopfDevice, pasid: number): IopfDevice['param'] {
    const cell = device.pasids[pasid];
    if (cell === undefined) throw new RangeError(`there is no PASID ${pasid}`);
    return cell;
  }
}
