import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { ObjectPool } from '../../../engine/object.ts';
import { Mutex } from '../../../engine/sync/lock.ts';
import { WorkQueue } from '../../../engine/sync/work-queue.ts';
import type { PageRequestEvent, PasidEvent } from '../../../model/contract/events.ts';
import { FailNth } from '../fail-nth.ts';
import { IommuAttach } from './attach.ts';
import { SmmuEvtq } from './evtq.ts';
import { IommufdFault } from './fault-object.ts';
import { ProcessLife, type LifeParts } from './life/index.ts';
import { IoPgfault } from './io-pgfault.ts';
import {
  deviceFields,
  groupFields,
  handleFields,
  iopfFields,
  paramFields,
  type AttachHandle,
  type FaultParam,
  type Iopf,
  type IopfDevice,
  type IopfGroup,
} from './objects.ts';
import { IommuReplace } from './replace.ts';
import type { PriPort } from './port.ts';
import { IntelPrq } from './prq.ts';

/** What there is. */
export interface IopfLayout {
  readonly devices: number;
  /** PASIDs are 1 … pasids. */
  readonly pasids: number;
  /** Most requests, and attachments, of a run. */
  readonly requests: number;
  readonly attachments: number;
  /** User space looks after page requests (iommufd); else the kernel does (SVA). */
  readonly user: boolean;
  /** An SMMU whose transactions stall; else a page request queue. */
  readonly stall: boolean;
  /** Processes that devices share, and that exit; 0: spaces are there for good. */
  readonly processes: number;
  /** The file of the fault object can be closed. */
  readonly closable: boolean;
  /** A space whose domain has no handler of page faults, -1 for none. */
  readonly pinned: number;
}

/** The parts, each a class whose routines a hazard may override. */
export interface IopfParts {
  readonly prq: new (kernel: IopfKernel) => IntelPrq;
  /** In place of `prq` where transactions stall. */
  readonly evtq: new (kernel: IopfKernel) => SmmuEvtq;
  readonly pgfault: new (kernel: IopfKernel) => IoPgfault;
  readonly attach: new (kernel: IopfKernel) => IommuAttach;
  readonly replace: new (kernel: IopfKernel) => IommuReplace;
  readonly fault: new (kernel: IopfKernel) => IommufdFault;
  readonly life: Partial<LifeParts>;
}

/** What happened, for witnesses. */
export type IopfNote =
  | 'partial group at detach'
  | 'request without a handler'
  | 'group of several requests'
  | 'drain waited for the queue'
  | 'two drains at once'
  | 'overflow cleared'
  | 'partial requests discarded'
  | 'request of a device that has gone'
  | 'allocation failed'
  | 'request while its PASID is replaced'
  | 'group read and not answered at detach'
  | LifeNote;

/** What happened to processes, and to who looks after requests. */
export type LifeNote =
  | 'exit while bound'
  | 'exit while a drain is under way'
  | 'request of a process that has exited'
  | 'address space torn down by a page fault'
  | 'request of a pinned domain'
  | 'PASID reused'
  | 'closed with groups that nobody has read'
  | 'closed with groups that nobody has answered';

/** What the kernel stands on. */
export interface IopfBase {
  readonly machine: Machine;
  readonly port: PriPort;
  readonly emit: (event: PageRequestEvent | PasidEvent) => void;
  readonly note: (note: IopfNote) => void;
}

/**
 * Page faults of devices: the page request queue of an IOMMU (`drivers/iommu/intel/prq.c`), the generic page-fault queue
 * (`drivers/iommu/io-pgfault.c`), and attachment of address spaces to PASIDs (`drivers/iommu/iommu.c`), as of Linux 6.12.
 */
export class IopfKernel {
  readonly machine: Machine;
  readonly port: PriPort;
  readonly layout: IopfLayout;
  readonly emit: (event: PageRequestEvent | PasidEvent) => void;
  readonly note: (note: IopfNote) => void;
  /** `iommu->iopf_lock`: a device that was found stays while it is held. */
  readonly iopfLock: Mutex;
  /** `iopf_queue->lock`: over the devices of the queue. */
  readonly queueLock: Mutex;
  /** `iopf_queue->wq`. */
  readonly wq: WorkQueue;
  readonly devices: ObjectPool<IopfDevice>;
  readonly params: ObjectPool<FaultParam>;
  readonly iopfs: ObjectPool<Iopf>;
  readonly groups: ObjectPool<IopfGroup>;
  readonly handles: ObjectPool<AttachHandle>;
  /** Allocations that fail on demand. */
  readonly failNth: FailNth;
  /** Drains under way, for witnesses. */
  readonly drains: Cell;
  readonly prq: IntelPrq;
  readonly pgfault: IoPgfault;
  readonly attach: IommuAttach;
  readonly replace: IommuReplace;
  /** The fault object, if user space looks after requests. */
  readonly fault: IommufdFault | undefined;
  /** Processes, if devices share any. */
  readonly life: ProcessLife | undefined;

  constructor({ machine, port, emit, note }: IopfBase, layout: IopfLayout, parts: Partial<IopfParts> = {}) {
    this.machine = machine;
    this.port = port;
    this.layout = layout;
    this.emit = emit;
    this.note = note;
    const { devices, pasids, requests, attachments, processes } = layout;
    this.iopfLock = new Mutex(machine, 'iopf_lock');
    this.queueLock = new Mutex(machine, 'iopf_queue.lock');
    this.wq = new WorkQueue(machine, 'iopf_queue');
    this.devices = new ObjectPool(machine, 'dev', devices, (slot) => deviceFields(machine, pasids, slot));
    this.params = new ObjectPool(machine, 'fault_param', devices, paramFields);
    const words = (_at: number, code: number): string => (code === 0 ? 'none' : port.words(code));
    this.iopfs = new ObjectPool(machine, 'iopf', requests, (slot) => iopfFields(slot, words));
    this.groups = new ObjectPool(machine, 'group', requests, (slot) => groupFields(slot, words));
    this.handles = new ObjectPool(machine, 'handle', attachments, (slot) => handleFields(slot, processes > 0));
    this.drains = new Cell(machine, 'drains under way', { internal: true });
    this.failNth = new FailNth(machine);
    this.failNth.onFailure = () => note('allocation failed');
    this.prq = layout.stall ? new (parts.evtq ?? SmmuEvtq)(this) : new (parts.prq ?? IntelPrq)(this);
    this.pgfault = new (parts.pgfault ?? IoPgfault)(this);
    this.fault = layout.user ? new (parts.fault ?? IommufdFault)(this) : undefined;
    this.attach = new (parts.attach ?? IommuAttach)(this);
    this.replace = new (parts.replace ?? IommuReplace)(this);
    this.life = processes > 0 ? new ProcessLife(this, processes, parts.life ?? {}) : undefined;
    for (let index = 0; index < devices; index++) this.#probe();
  }

  /** A device by its index. */
  device(index: number): IopfDevice {
    return this.devices.at(index + 1);
  }

  /** `iommu_probe_device()` and `iopf_queue_add_device()`, during set-up. */
  #probe(): void {
    const device = this.devices.at(this.devices.alloc());
    const param = this.params.alloc();
    this.params.at(param).users.value = 1;
    device.param.value = param;
    device.known.value = 1;
  }
}
