import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { ObjectPool } from '../../../engine/object.ts';
import { Mutex } from '../../../engine/sync/lock.ts';
import { Rcu } from '../../../engine/sync/rcu.ts';
import { WorkQueue } from '../../../engine/sync/work-queue.ts';
import type { PasidEvent } from '../../../model/contract/events.ts';
import { FailNth } from '../fail-nth.ts';
import { IntelPasid } from './intel-pasid.ts';
import { IoasidAllocators } from './allocators.ts';
import { NotifierChains } from './chains.ts';
import { DeviceDrivers } from './drivers.ts';
import { Hotplug } from './hotplug.ts';
import { Ioasid } from './ioasid.ts';
import { KvmPasids } from './kvm.ts';
import { Notifications } from './notify.ts';
import { dataFields, setFields, svmFields, type IntelSvmObject, type IoasidData, type IoasidSet } from './objects.ts';
import type { CdPort, PasidPort, VtdPort } from './port.ts';
import { IoasidSets } from './sets.ts';
import { SmmuCds } from './smmu-cd.ts';
import { GuestPasids } from './spids.ts';
import { IntelSvm } from './svm.ts';
import { VfioOwners } from './vfio.ts';

/** What there is. */
export interface IoasidLayout {
  /** PASIDs are 1 … pasids. */
  readonly pasids: number;
  readonly owners: number;
  readonly devices: number;
  /** Numbers that the set of an owner may have. */
  readonly quota: number;
  /** Allocations of numbers, of sets and of bonds that a run can make, each. */
  readonly allocations: number;
  /** Which number comes next; default: the lowest. */
  readonly policy?: NumberPolicy;
  /** Sets are found by tokens, and have guest PASIDs. */
  readonly sets?: boolean;
  /** Listeners come and go; else KVM and the IOMMU driver listen always. */
  readonly chains?: boolean;
  /** IOMMUs have a virtual command interface, by which allocators may be registered. */
  readonly custom?: boolean;
  /** Devices come and go. */
  readonly hotplug?: boolean;
}

/** Which number comes next: the lowest that is free, or the first after the last. */
export type NumberPolicy = 'lowest' | 'cyclic';

/** The parts, each a class whose routines a design or a hazard may override. */
export interface IoasidParts {
  readonly ioasid: new (kernel: IoasidKernel) => Ioasid;
  readonly svm: new (kernel: IoasidKernel) => IntelSvm;
  readonly intelPasid: new (kernel: IoasidKernel, port: VtdPort) => IntelPasid;
  readonly smmuCds: new (kernel: IoasidKernel, port: CdPort) => SmmuCds;
  readonly kvm: new (kernel: IoasidKernel) => KvmPasids;
  readonly ioasidSets: new (kernel: IoasidKernel) => IoasidSets;
  readonly spids: new (kernel: IoasidKernel) => GuestPasids;
  readonly allocators: new (kernel: IoasidKernel) => IoasidAllocators;
  /** Where listeners come and go. */
  readonly chains: new (kernel: IoasidKernel) => NotifierChains;
  readonly drivers: new (kernel: IoasidKernel) => DeviceDrivers;
  readonly hotplug: new (kernel: IoasidKernel) => Hotplug;
  readonly vfio: new (kernel: IoasidKernel) => VfioOwners;
}

/** What happened, for witnesses. */
export type IoasidNote =
  | 'freed while bound'
  | 'number used again'
  | 'quota used up'
  | 'unbind met a free'
  | 'set closed with numbers'
  | 'allocation failed'
  | 'freed in softirq'
  | 'number looked up'
  | 'numbers went round'
  | 'free of a number that has gone'
  | 'quota adjusted'
  | 'adjustment refused'
  | 'guest PASID looked up'
  | 'guest PASID changed under a look'
  | 'registered late'
  | 'unregistered while called'
  | 'number of the hypervisor'
  | 'virtual command refused'
  | 'allocator kept by its numbers'
  | 'removed while bound';

/** What the kernel stands on. */
export interface IoasidBase {
  readonly machine: Machine;
  readonly port: PasidPort;
  readonly emit: (event: PasidEvent) => void;
  readonly note: (note: IoasidNote) => void;
}

/**
 * PASID numbers and who uses them, as proposed in "IOASID extensions for guest SVA" (2020): the allocator with sets and
 * references, the IOMMU driver that binds spaces to devices, KVM's PASID translation, and VFIO, whose file descriptor may be
 * closed at any time. Linux 6.1 has the allocator without references (`drivers/iommu/ioasid.c`).
 */
export class IoasidKernel {
  readonly machine: Machine;
  readonly port: PasidPort;
  readonly layout: IoasidLayout;
  readonly emit: (event: PasidEvent) => void;
  readonly note: (note: IoasidNote) => void;
  readonly failNth: FailNth;
  /** `ioasid_xa`, by number: handle of its data; 0: it is free. */
  readonly numbers: readonly Cell[];
  /** `ioasid_capacity_avail`. */
  readonly available: Cell;
  /** `pasid_mutex`. */
  readonly pasidMutex: Mutex;
  readonly rcu: Rcu;
  /** The ordered work queue of the notifier. */
  readonly wq: WorkQueue;
  readonly datas: ObjectPool<IoasidData>;
  readonly sets: ObjectPool<IoasidSet>;
  readonly svms: ObjectPool<IntelSvmObject>;
  readonly ioasid: Ioasid;
  /** Entries in memory; undefined: an entry is written, and flushed, at once. */
  readonly tables: IntelPasid | SmmuCds | undefined;
  readonly svm: IntelSvm;
  readonly kvm: KvmPasids;
  readonly ioasidSets: IoasidSets;
  readonly spids: GuestPasids;
  readonly allocators: IoasidAllocators;
  readonly notify: Notifications;
  /** The same as `notify` where listeners come and go. */
  readonly chains: NotifierChains | undefined;
  readonly drivers: DeviceDrivers;
  readonly hotplug: Hotplug;
  readonly vfio: VfioOwners;

  constructor({ machine, port, emit, note }: IoasidBase, layout: IoasidLayout, parts: Partial<IoasidParts> = {}) {
    this.machine = machine;
    this.port = port;
    this.layout = layout;
    this.emit = emit;
    this.note = note;
    const { pasids, allocations } = layout;
    this.failNth = new FailNth(machine);
    this.failNth.onFailure = () => note('allocation failed');
    const format = (_at: number, handle: number): string => (handle === 0 ? 'free' : `ioasid${handle - 1}`);
    this.numbers = Array.from({ length: pasids + 1 }, (_, id) => new Cell(machine, `ioasid_xa[${id}]`, { format }));
    this.available = new Cell(machine, 'ioasid_capacity_avail');
    this.pasidMutex = new Mutex(machine, 'pasid_mutex');
    this.rcu = new Rcu(machine, 'rcu');
    this.wq = new WorkQueue(machine, 'ioasid_wq');
    this.datas = new ObjectPool(machine, 'ioasid', allocations, dataFields);
    this.sets = new ObjectPool(machine, 'set', allocations, setFields);
    this.svms = new ObjectPool(machine, 'svm', allocations, svmFields);
    this.available.value = pasids;
    this.ioasid = new (parts.ioasid ?? Ioasid)(this);
    this.kvm = new (parts.kvm ?? KvmPasids)(this);
    if (port.vtd !== undefined) this.tables = new (parts.intelPasid ?? IntelPasid)(this, port.vtd);
    else if (port.cds !== undefined) this.tables = new (parts.smmuCds ?? SmmuCds)(this, port.cds);
    this.svm = new (parts.svm ?? IntelSvm)(this);
    this.ioasidSets = new (parts.ioasidSets ?? IoasidSets)(this);
    this.spids = new (parts.spids ?? GuestPasids)(this);
    this.allocators = new (parts.allocators ?? IoasidAllocators)(this);
    this.chains = layout.chains === true ? new (parts.chains ?? NotifierChains)(this) : undefined;
    this.notify = this.chains ?? new Notifications(this);
    this.drivers = new (parts.drivers ?? DeviceDrivers)(this);
    this.hotplug = new (parts.hotplug ?? Hotplug)(this);
    this.vfio = new (parts.vfio ?? VfioOwners)(this);
  }

  /** The cell of a number. */
  number(id: number): Cell {
    const cell = this.numbers[id];
    if (cell === undefined || id === 0) throw new RangeError(`there is no PASID ${id}`);
    return cell;
  }
}
