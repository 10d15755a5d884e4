import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import type { KvmSide } from './port.ts';

/**
 * iommufd contexts, one for each virtual machine: each knows its KVM, without a reference of its own, since KVM tells it
 * when it goes (`kvm_vfio_release()`, `vfio_device_get_kvm_safe()`). Who makes a stage 2 in it takes a reference.
 */
export class IommufdContexts {
  protected readonly kvm: KvmSide;
  /** 1 + number of the virtual machine in each context, 0: none. Under its lock. */
  protected readonly pointers: readonly Cell[];
  protected readonly locks: readonly SpinLock[];

  constructor(machine: Machine, kvm: KvmSide, machines: number) {
    this.kvm = kvm;
    const all = Array.from({ length: machines }, (_, at) => at);
    const format = (_offset: number, vm: number): string => (vm === 0 ? 'NULL' : kvm.nameOf(vm - 1));
    this.pointers = all.map((at) => new Cell(machine, `ictx${at}.kvm`, { format }));
    this.locks = all.map((at) => new SpinLock(machine, `ictx${at}.kvm_ref_lock`));
  }

  /** Set-up: KVM knows the context's files (`KVM_DEV_VFIO_FILE_ADD`). */
  boot(): void {
    for (const [at, pointer] of this.pointers.entries()) pointer.value = at + 1;
  }

  /** A reference to the KVM of a context, for a new stage 2. False if there is none any more. */
  *get(context: number): Task<boolean> {
    yield* this.lock(context).lock();
    const got = yield* this.take(context);
    yield* this.lock(context).unlock();
    return got;
  }

  /** `kvm_vfio_release()`: KVM goes, so nobody may take a reference by the context any more. */
  *release(context: number): Task {
    yield* this.lock(context).lock();
    yield* this.pointer(context).store(0);
    yield* this.lock(context).unlock();
  }

  /** Reads the pointer and takes the reference. */
  protected take(context: number): Step<boolean> {
    return step(`kvm_get_kvm_safe(ictx${context}.kvm)`, () => {
      const vm = this.pointer(context).value - 1;
      return vm >= 0 && this.kvm.kvm_get_kvm_safe(vm);
    });
  }

  protected pointer(context: number): Cell {
    return this.pointers[context] as Cell;
  }

  protected lock(context: number): SpinLock {
    return this.locks[context] as SpinLock;
  }
}
