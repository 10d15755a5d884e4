import { forget, step, waitStep, type Step, type Task } from '../../../engine/step.ts';
import type { AgentSpec } from '../../../engine/agent.ts';
import type { Waitable } from '../../../engine/waitable.ts';
import type { IopfKernel } from './kernel.ts';
import type { IopfDevice } from './objects.ts';
import type { PageResponse } from './port.ts';

/** PQT and PQH as one number. */
const PLACES = 16;

/** The page request queue of an IOMMU (`drivers/iommu/intel/prq.c`): the thread of its interrupt, and who waits for it. */
export class IntelPrq {
  /** The thread's name in reports. */
  readonly threadName: string = 'irq/prq';
  protected readonly kernel: IopfKernel;

  constructor(kernel: IopfKernel) {
    this.kernel = kernel;
  }

  /** The interrupt's thread, for the agents of a world. */
  daemon(): AgentSpec {
    const start = (): Task => this.thread();
    return { name: this.threadName, context: 'process', daemon: true, operations: [{ label: 'page requests', start }] };
  }

  protected *thread(): Task {
    const { port } = this.kernel;
    for (;;) {
      yield* forget('idle');
      // Cleared before the registers are read, so that what arrives after raises the interrupt again.
      yield* waitStep('PRS.PPR := 0', port.interrupt, () => {
        port.clearPending();
        return undefined;
      });
      yield* this.prq_event_thread();
    }
  }

  /** `prq_event_thread()`: takes what is in the queue, then sees to an overflow, then wakes those who drain. */
  protected *prq_event_thread(): Task {
    const { port } = this.kernel;
    const [tail, head] = split(yield* this.readRegisters());
    for (let at = head; at !== tail; at = port.after(at)) {
      yield* forget(`${at} of ${tail}`);
      const code = yield* step(
        'read request',
        () => port.read(at),
        (read) => port.words(read),
      );
      yield* this.handleRequest(code);
    }
    yield* step(`PQH := ${tail}`, () => {
      port.writeHead(tail);
      return undefined;
    });
    yield* this.handleOverflow();
    yield* this.wakeDrains();
  }

  /** Tail, then head: one step, since nobody else writes the head. */
  protected readRegisters(): Step<number> {
    const { port } = this.kernel;
    return step(
      'read PQT, PQH',
      () => port.tail * PLACES + port.head,
      (read) => split(read).join(', '),
    );
  }

  /** One message. A Stop Marker is dropped; a device that is not there any more gets a refusal. */
  protected *handleRequest(code: number): Task {
    const { decode } = this.kernel.port;
    const { device: index, stop } = decode(code);
    if (stop) return;
    yield* this.kernel.iopfLock.lock();
    const device = yield* this.findDevice(index);
    if (device === undefined) yield* this.handle_bad_prq_event(code);
    else yield* this.kernel.pgfault.iommu_report_device_fault(device, code);
    yield* this.kernel.iopfLock.unlock();
  }

  /** `device_rbtree_find()`. What it finds is only safe under `iopf_lock`. */
  protected *findDevice(index: number): Task<IopfDevice | undefined> {
    const device = this.kernel.device(index);
    const known = yield* step(`device_rbtree_find(${device.name})`, () => {
      if (device.known.value === 1) return true;
      this.kernel.note('request of a device that has gone');
      return false;
    });
    return known ? device : undefined;
  }

  /** `handle_bad_prq_event()`: only a last request is answered. */
  *handle_bad_prq_event(code: number): Task {
    const { device, pasid, group, last } = this.kernel.port.decode(code);
    if (last) yield* this.pageResponse(device, pasid, group, 'Invalid');
  }

  /** `intel_iommu_page_response()`. */
  pageResponse(device: number, pasid: number, group: number, response: PageResponse): Step<undefined> {
    const { port } = this.kernel;
    return step(`page response dev${device}, PASID ${pasid}, PRG ${group}: ${response}`, () => {
      this.kernel.emit({ type: 'pri.respond', device, pasid, group, response });
      port.respond(device, pasid, group, response);
      return undefined;
    });
  }

  /**
   * The end of `prq_event_thread()`. While the queue has overflowed nothing enters it; groups whose last request was lost
   * never become whole, so what there is of them goes. If something is in the queue it is looked at first: the interrupt is
   * pending again.
   */
  protected *handleOverflow(): Task {
    const { port } = this.kernel;
    if (!(yield* step('read PRS.PRO', () => port.overflow))) return;
    const [tail, head] = split(yield* this.readRegisters());
    if (tail !== head) return;
    yield* this.kernel.pgfault.iopf_queue_discard_partial();
    yield* this.clearOverflow();
  }

  /** PRS.PRO := 0. */
  protected clearOverflow(): Step<undefined> {
    const { port } = this.kernel;
    return step('PRS.PRO := 0', () => {
      this.kernel.note('overflow cleared');
      port.clearOverflow();
      return undefined;
    });
  }

  /** Those who wait look at the queue again by themselves (`wake_up_all`); see `drainQueue`. */
  protected *wakeDrains(): Task {}

  /**
   * `intel_iommu_drain_pasid_prq()`: when it returns, no request of the PASID is in the queue, in a partial group or with a
   * handler. Nothing can come in any more: the PASID's entry is gone, and what was on its way has arrived.
   */
  *intel_iommu_drain_pasid_prq(device: IopfDevice, pasid: number): Task {
    yield* this.drainQueue(device, pasid);
    yield* this.kernel.pgfault.discardPartial(device, pasid);
    yield* this.kernel.pgfault.iopf_queue_flush_dev(device);
  }

  /** Waits until the queue has no request of the PASID: `wait_event(prq_wait, !found)`. */
  protected *drainQueue(device: IopfDevice, pasid: number): Task {
    const { kernel } = this;
    const found = yield* step(`requests of ${device.name}, PASID ${pasid}?`, () => {
      kernel.drains.value++;
      if (kernel.drains.value > 1) kernel.note('two drains at once');
      return this.has(device.index, pasid);
    });
    if (found)
      yield* waitStep(`wait for requests of ${device.name}, PASID ${pasid}`, this.drained(device, pasid), () => {
        kernel.note('drain waited for the queue');
        kernel.machine.mightSleep('wait_event(prq_wait)');
        return undefined;
      });
    yield* step('drained', () => {
      kernel.drains.value--;
      return undefined;
    });
  }

  /** The queue has a request of a PASID between head and tail. Inside a step. */
  protected has(device: number, pasid: number): boolean {
    const { port } = this.kernel;
    for (let at = port.head; at !== port.tail; at = port.after(at)) {
      const request = port.decode(port.read(at));
      if (request.device === device && request.pasid === pasid) return true;
    }
    return false;
  }

  protected drained(device: IopfDevice, pasid: number): Waitable {
    return {
      name: `requests of ${device.name} with PASID ${pasid} in the queue`,
      ender: `the write of PQH by ${this.threadName}`,
      ready: () => !this.has(device.index, pasid),
    };
  }
}

function split(code: number): [tail: number, head: number] {
  return [Math.floor(code / PLACES), code % PLACES];
}
