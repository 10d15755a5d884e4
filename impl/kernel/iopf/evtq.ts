import { forget, step, type Step, type Task } from '../../../engine/step.ts';
import type { IopfKernel } from './kernel.ts';
import type { PageResponse } from './port.ts';
import { IntelPrq } from './prq.ts';

/**
 * The event queue of an SMMU whose transactions stall (`drivers/iommu/arm/arm-smmu-v3`): each record is a request by itself,
 * whose index is the tag of the stalled transaction, and the response is CMD_RESUME.
 *
 * The thread moves CONS on before it looks after a record, so that an empty queue does not mean that all is done. Who drains
 * waits for the record that the thread has in its hands as well (`synchronize_irq()`). Linux has no such drain: see
 * docs/findings/page-requests.md.
 */
export class SmmuEvtq extends IntelPrq {
  override readonly threadName: string = 'irq/evtq';
  /** The record that the thread has in its hands. */
  readonly #handling: number;

  constructor(kernel: IopfKernel) {
    super(kernel);
    this.#handling = kernel.machine.store.reserve(1, 'record in hand', (_at, code) =>
      code === 0 ? 'none' : kernel.port.words(code),
    );
  }

  /** `arm_smmu_evtq_thread()`. */
  protected override *prq_event_thread(): Task {
    for (;;) {
      yield* forget('next');
      const code = yield* this.queue_remove_raw();
      if (code === 0) return;
      yield* this.handleRequest(code);
    }
  }

  /** `queue_remove_raw()`: 0 if the queue is empty. */
  protected queue_remove_raw(): Step<number> {
    const { port, machine } = this.kernel;
    return step(
      'queue_remove_raw(evtq)',
      () => {
        const { head } = port;
        const code = head === port.tail ? 0 : port.read(head);
        if (code !== 0) port.writeHead(port.after(head));
        machine.store.set(this.#handling, code);
        return code;
      },
      (code) => (code === 0 ? 'empty' : port.words(code)),
    );
  }

  /** CMD_RESUME. */
  override pageResponse(device: number, pasid: number, group: number, response: PageResponse): Step<undefined> {
    const { port } = this.kernel;
    const action = response === 'Success' ? 'retry' : 'abort';
    return step(`CMD_RESUME(dev${device}, STAG ${group}, ${action})`, () => {
      this.kernel.emit({ type: 'pri.respond', device, pasid, group, response });
      port.respond(device, pasid, group, response);
      return undefined;
    });
  }

  /** A record of the PASID is in the queue, or in hand. */
  protected override has(device: number, pasid: number): boolean {
    return super.has(device, pasid) || this.isInHand(device, pasid);
  }

  protected isInHand(device: number, pasid: number): boolean {
    const code = this.kernel.machine.store.get(this.#handling);
    if (code === 0) return false;
    const record = this.kernel.port.decode(code);
    return record.device === device && record.pasid === pasid;
  }
}
