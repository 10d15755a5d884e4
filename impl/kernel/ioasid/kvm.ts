import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { IoasidKernel } from './kernel.ts';
import { STATE, type IoasidData } from './objects.ts';

/**
 * KVM's PASID translation table: by it a guest's ENQCMD carries the host's number. The CPU must not translate to a number
 * that leads nowhere, so it is told last of a bind, and first of an unbind or a free.
 */
export class KvmPasids {
  protected readonly kernel: IoasidKernel;
  /** Host PASID of the guest PASID of each owner; 0: none. */
  protected readonly table: readonly Cell[];

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    this.table = Array.from(
      { length: kernel.layout.owners },
      (_, owner) => new Cell(kernel.machine, `PASID translation of VM${owner}`),
    );
  }

  /** BIND: the guest may use the number. */
  onBind(data: IoasidData): Step<undefined> {
    return step(`translate to ${data.name}`, () => {
      this.set(data.owner.value, data.id.value);
      return undefined;
    });
  }

  /**
   * BIND where the number may be freed meanwhile: its FREE may have been heard already, and nothing would be heard any more.
   * The lock of the allocator is held.
   */
  *onBindUnlessGoing(data: IoasidData): Task<number> {
    return yield* step(`translate to ${data.name}`, () => {
      if (this.isGoing(data)) return 0;
      this.set(data.owner.value, data.id.value);
      return 1;
    });
  }

  /** Inside a step. */
  protected isGoing(data: IoasidData): boolean {
    return data.state.value !== STATE.ACTIVE;
  }

  /** UNBIND of the last device. */
  onUnbind(data: IoasidData): Step<undefined> {
    return step(`translate no more to ${data.name}`, () => {
      this.clear(data);
      return undefined;
    });
  }

  /** FREE: in atomic context. */
  *onFree(data: IoasidData): Task {
    yield* this.onUnbind(data);
  }

  /** BIND, as a listener that may have come late; inside a step. */
  translate(data: IoasidData): void {
    this.set(data.owner.value, data.id.value);
  }

  /** UNBIND or FREE, as a listener; inside a step. */
  translateNoMore(data: IoasidData): void {
    this.clear(data);
  }

  /** ALLOC, as a listener: the machine has a number. Inside a step. */
  hear(data: IoasidData): void {
    this.kernel.emit({ type: 'pasid.heard', owner: data.owner.value, pasid: data.id.value, on: true });
  }

  /** FREE, as a listener; inside a step. */
  hearNoMore(data: IoasidData): void {
    this.kernel.emit({ type: 'pasid.heard', owner: data.owner.value, pasid: data.id.value, on: false });
  }

  /** The machine does not listen any more; inside a step. */
  forget(owner: number): void {
    this.set(owner, 0);
  }

  /** Inside a step. */
  protected clear(data: IoasidData): void {
    const owner = data.owner.value;
    if ((this.table[owner] as Cell).value === data.id.value) this.set(owner, 0);
  }

  protected set(owner: number, pasid: number): void {
    (this.table[owner] as Cell).value = pasid;
    this.kernel.emit({ type: 'pasid.translated', owner, pasid });
  }
}
