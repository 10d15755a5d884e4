import { HarnessError } from '../../../../engine/failure.ts';
import { ObjectPool } from '../../../../engine/object.ts';
import { step, type Step, type Task } from '../../../../engine/step.ts';
import type { Refcount } from '../../../../engine/sync/refcount.ts';
import type { IopfKernel } from '../kernel.ts';
import type { IopfDevice } from '../objects.ts';
import { ProcessMm } from './mm.ts';
import { MmuNotifiers } from './mmu-notifier.ts';
import { domainFields, mmFields, processFields, type MmStruct, type Process, type SvaDomain } from './objects.ts';
import { GlobalPasids } from './pasid.ts';
import { IommuSva } from './sva.ts';
import { SvmDomains } from './svm.ts';

/** The parts of process life, each a class whose routines a hazard may override. */
export interface LifeParts {
  readonly mm: new (kernel: IopfKernel, life: ProcessLife) => ProcessMm;
  readonly notifiers: new (kernel: IopfKernel, life: ProcessLife) => MmuNotifiers;
  readonly svm: new (kernel: IopfKernel, life: ProcessLife) => SvmDomains;
  readonly sva: new (kernel: IopfKernel, life: ProcessLife) => IommuSva;
}

/** Processes that devices share: each begins with one address space, which it gives up when it exits. */
export class ProcessLife {
  readonly mms: ObjectPool<MmStruct>;
  readonly domains: ObjectPool<SvaDomain>;
  readonly processes: readonly Process[];
  readonly pasids: GlobalPasids;
  readonly mm: ProcessMm;
  readonly notifiers: MmuNotifiers;
  readonly svm: SvmDomains;
  readonly sva: IommuSva;
  readonly #kernel: IopfKernel;

  constructor(kernel: IopfKernel, spaces: number, parts: Partial<LifeParts>) {
    this.#kernel = kernel;
    const { machine, layout } = kernel;
    this.mms = new ObjectPool(machine, 'mm', spaces, mmFields);
    this.domains = new ObjectPool(machine, 'sva_domain', layout.attachments, (slot) =>
      domainFields(layout.devices, slot),
    );
    this.pasids = new GlobalPasids(kernel);
    this.mm = new (parts.mm ?? ProcessMm)(kernel, this);
    this.notifiers = new (parts.notifiers ?? MmuNotifiers)(kernel, this);
    this.svm = new (parts.svm ?? SvmDomains)(kernel, this);
    this.sva = new (parts.sva ?? IommuSva)(kernel, this);
    this.processes = Array.from({ length: spaces }, (_, space) => processFields(machine, layout.devices, space));
    for (const process of this.processes) this.#fork(process);
  }

  /** The address space that events call by this index. */
  mmOf(space: number): MmStruct {
    return this.mms.at(space + 1);
  }

  /** `users` of a bond (`struct iommu_sva`). */
  users(handle: number): Refcount {
    const { users } = this.#kernel.handles.at(handle);
    if (users === undefined) throw new HarnessError('handles have no users where there are no processes');
    return users;
  }

  /** `handle->domain` of a bond. */
  domainOf(handle: number): Step<number> {
    const { name, bound } = this.#kernel.handles.at(handle);
    return step(`domain of ${name}`, () => bound?.value ?? 0);
  }

  /** A new bond leads to a process. Inside a step. */
  bindTo(handle: number, space: number): void {
    const { bound } = this.#kernel.handles.at(handle);
    if (bound !== undefined) bound.value = this.mmOf(space).domain.value;
  }

  /** A page-fault work is running. Inside a step. */
  isWorker(): boolean {
    const { machine, wq } = this.#kernel;
    return machine.agentName(machine.current) === wq.daemon().name;
  }

  /** A thread of the process opens a device. False if the process has exited, or bind fails. */
  *bind(process: number, device: IopfDevice): Task<boolean> {
    const mm = this.mmOf(process);
    if (!(yield* this.mm.get_task_mm(this.#process(process), mm))) return false;
    const handle = yield* this.sva.iommu_sva_bind_device(device, mm);
    if (handle !== 0) yield* this.#keep(process, device, handle);
    yield* this.mm.put_task_mm(mm);
    return handle !== 0;
  }

  /** The file of a device is released, by whoever has it last. False if the process has not opened it. */
  *unbind(process: number, device: IopfDevice): Task<boolean> {
    const { name, bonds, handles } = this.#process(process);
    const [bond, handle] = [bonds.at(device.index), handles.at(device.index)];
    const held = yield* step(`${name} releases ${device.name}`, () => {
      if (bond === undefined || handle === undefined || bond.value === 0) return 0;
      bond.value--;
      return handle.value;
    });
    if (held !== 0) yield* this.sva.iommu_sva_unbind_device(device, held);
    return held !== 0;
  }

  /** `exit_mm()` of the last thread. False if it has exited. */
  *exit(process: number): Task<boolean> {
    const { name, alive } = this.#process(process);
    const exits = yield* step(`${name} exits`, () => {
      const was = alive.value;
      alive.value = 0;
      return was === 1;
    });
    if (exits) yield* this.mm.mmput(this.mmOf(process));
    return exits;
  }

  #keep(process: number, device: IopfDevice, handle: number) {
    const { bonds, handles } = this.#process(process);
    return step(`private_data := handle${handle - 1}`, () => {
      for (const cell of bonds.slice(device.index, device.index + 1)) cell.value++;
      for (const cell of handles.slice(device.index, device.index + 1)) cell.value = handle;
      return undefined;
    });
  }

  #process(index: number): Process {
    const process = this.processes[index];
    if (process === undefined) throw new RangeError(`there is no process ${index}`);
    return process;
  }

  /** During set-up. */
  #fork(process: Process): void {
    const mm = this.mms.at(this.mms.alloc());
    mm.mm_users.value = 1;
    mm.mm_count.value = 1;
    process.alive.value = 1;
  }
}
