import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import { Bitmap, generationOf, makeTag, NUMBER_MAX } from '../generations/index.ts';
import type { KvmHyp } from './hyp.ts';
import type { Kvm } from './kvm.ts';
import { showVmid, VMID_ACTIVE_INVALID, vmidOf, type VmidId } from './vmid-id.ts';

/** What the machine has. */
export interface VmidLayout {
  /** Possible CPUs. */
  readonly cpus: number;
  /** VMIDs besides 0, which is the host's: `NUM_USER_VMIDS - 1`. */
  readonly vmids: number;
  /** How many of them virtual machines have used that are gone: a VMID does not come back before the next roll-over. */
  readonly taken: number;
}

/** What happened, for witnesses. */
export type VmidNote =
  | 'roll-over'
  | 'second roll-over'
  | 'running VMID reserved'
  | 'reserved VMID reserved again'
  | 'reserved VMID found'
  | 'roll-over met an idle CPU'
  | 'pinned VMID kept'
  | 'no VMID left to pin'
  | 'fast path after a roll-over'
  | 'fast path met a roll-over';

/** Where what is notable inside the allocator is told. */
export interface VmidObserver {
  noted(note: VmidNote): void;
  /** A roll-over has kept an id for a CPU: 0, or that of VMID 0, if the CPU runs nothing. */
  reserved(cpu: number, id: VmidId): void;
}

/**
 * The VMID allocator (`arch/arm64/kvm/vmid.c`, Linux 6.1), with the pinned VMIDs of "KVM: arm64: Introduce support to pin
 * VMIDs" (2021, 2024). It is the ASID allocator but for two things: a roll-over flushes the TLBs of all CPUs at once, and a
 * CPU whose vCPU is put has an active VMID that is invalid, so that a roll-over reserves nothing for it.
 *
 * Each access that others may race with is a step of its own; what only the holder of `cpu_vmid_lock` touches is not. A
 * hazard is a subclass that replaces one routine.
 */
export class KvmVmid {
  protected readonly machine: Machine;
  protected readonly hyp: KvmHyp;
  protected readonly layout: VmidLayout;
  protected readonly observer: VmidObserver;
  protected readonly lock: SpinLock;
  /** Counts generations from 1. Only read-modify-write operations change it. */
  protected readonly generation: Cell;
  /** `active_vmids` of each CPU; 0: a roll-over has been since its last update. */
  protected readonly active: readonly Cell[];
  /** What follows belongs to the holder of the lock. */
  protected readonly reserved: readonly Cell[];
  protected readonly map: Bitmap;
  protected readonly pinnedMap: Bitmap;
  protected readonly pinnedCount: Cell;
  protected readonly cursor: Cell;

  constructor(machine: Machine, hyp: KvmHyp, layout: VmidLayout, observer: VmidObserver) {
    if (layout.vmids > NUMBER_MAX) throw new RangeError(`there are at most ${NUMBER_MAX} VMIDs`);
    this.machine = machine;
    this.hyp = hyp;
    this.layout = layout;
    this.observer = observer;
    const format = (_offset: number, id: number): string => showVmid(id);
    const each = (name: string, buffered: boolean): Cell[] =>
      Array.from({ length: layout.cpus }, (_, at) => new Cell(machine, `${name}[${at}]`, { buffered, format }));
    this.lock = new SpinLock(machine, 'cpu_vmid_lock');
    this.generation = new Cell(machine, 'vmid_generation');
    this.active = each('active_vmids', true);
    this.reserved = each('reserved_vmids', false);
    this.map = new Bitmap(machine, 'vmid_map');
    this.pinnedMap = new Bitmap(machine, 'pinned_vmid_map');
    this.pinnedCount = new Cell(machine, 'nr_pinned_vmids');
    this.cursor = new Cell(machine, 'cur_idx');
    this.generation.value = 1;
    this.cursor.value = Math.max(1, layout.taken);
    for (let vmid = 1; vmid <= layout.taken; vmid++) this.map.set(vmid);
  }

  /**
   * `kvm_arm_vmid_update()`, with preemption off: from now on the VMID of the machine is active on the CPU. True if it is
   * a new one, given here.
   */
  *kvm_arm_vmid_update(cpu: number, kvm: Kvm): Task<boolean> {
    const id = yield* kvm.id.load();
    if (yield* this.fastPath(cpu, id)) return false;
    return yield* this.slowPath(cpu, kvm, id);
  }

  /** `kvm_arm_vmid_clear_active()`, inside a step: the CPU runs no vCPU any more, and a roll-over reserves nothing for it. */
  kvm_arm_vmid_clear_active(cpu: number): void {
    this.activeOf(cpu).value = VMID_ACTIVE_INVALID;
  }

  /**
   * `kvm_arm_pinned_vmid_get()`: pins the VMID for a device, and returns it; 0 if there are too many. It stays that of the
   * machine until the last `kvm_arm_pinned_vmid_put`.
   */
  *kvm_arm_pinned_vmid_get(cpu: number, kvm: Kvm): Task<number> {
    yield* this.lock.lock();
    const id = yield* kvm.id.load();
    const may = yield* step('pinned?', () => this.lookAtPins(kvm));
    const pinned = may === 'no' ? 0 : may === 'pinned' ? id : yield* this.pinNew(cpu, kvm, id);
    yield* this.lock.unlock();
    return vmidOf(pinned);
  }

  /** `kvm_arm_pinned_vmid_put()`. The VMID stays taken until the next roll-over. */
  *kvm_arm_pinned_vmid_put(kvm: Kvm): Task {
    yield* this.lock.lock();
    yield* step(`${kvm.name}.vmid.pinned--`, () => {
      kvm.pinned.value--;
      if (kvm.pinned.value === 0) this.unpin(vmidOf(kvm.id.value));
      return undefined;
    });
    yield* this.lock.unlock();
  }

  /** `kvm_destroy_vm()`, inside a step: nothing. Its VMID comes back with the next roll-over, which flushes. */
  kvm_destroy_vm(_kvm: Kvm): void {
    // See above.
  }

  /** Before a guest is entered, with interrupts off: whether its VMID has to be updated once more. Undefined: never. */
  exitRequested(_cpu: number, _kvm: Kvm): Task<boolean> | undefined {
    return undefined;
  }

  /** A guest was entered, inside the step. */
  entered(_cpu: number): void {
    // A roll-over does not stop guests.
  }

  /** For checks: how many VMIDs count as pinned, and which have their bits in `pinned_vmid_map`. */
  get pinnedVmids(): { readonly count: number; readonly bits: number } {
    return { count: this.pinnedCount.peek(0), bits: this.pinnedMap.bits };
  }

  /**
   * For checks, while nobody holds the lock: by which id the next roll-over would keep what a CPU runs; undefined while
   * somebody holds it.
   */
  traceOf(cpu: number): VmidId | undefined {
    if (!this.lock.ready()) return undefined;
    const active = this.activeOf(cpu).peek(0);
    return active === 0 ? this.reservedOf(cpu).peek(0) : active;
  }

  /** Whether the VMID is pinned, or may be: then `refcount_inc_not_zero()` has counted the device. */
  protected lookAtPins(kvm: Kvm): 'pinned' | 'no' | 'new' {
    if (kvm.pinned.value !== 0) {
      kvm.pinned.value++;
      return 'pinned';
    }
    if (this.pinnedCount.value < this.maxPinned()) return 'new';
    this.observer.noted('no VMID left to pin');
    return 'no';
  }

  /** `max_pinned_vmids`: after a roll-over one is free, even if every CPU has a reserved VMID that is not pinned. */
  protected maxPinned(): number {
    const { vmids, cpus } = this.layout;
    return vmids + 1 - cpus - 2;
  }

  /** With the lock held. */
  protected *pinNew(cpu: number, kvm: Kvm, id: VmidId): Task<VmidId> {
    const current = (yield* this.vmid_gen_match(id)) ? id : yield* this.renew(cpu, kvm, id);
    return yield* this.pinNow(kvm, current);
  }

  protected pinNow(kvm: Kvm, id: VmidId): Step<VmidId> {
    const run = (): VmidId => {
      this.pinnedCount.value++;
      this.pinnedMap.set(vmidOf(id));
      kvm.pinned.value = 1;
      return id;
    };
    return step(`pinned_vmid_map |= ${vmidOf(id)}`, run, () => undefined);
  }

  protected unpin(vmid: number): void {
    this.pinnedCount.value--;
    this.pinnedMap.clear(vmid);
  }

  /** Whether the VMID could be made active without the lock. `id` was read before. */
  protected *fastPath(cpu: number, id: VmidId): Task<boolean> {
    const active = yield* this.activeOf(cpu).load();
    if (active === 0 || !(yield* this.vmid_gen_match(id))) return false;
    const before = yield* this.exchangeActive(cpu, active, id);
    return this.fastPathHolds(active, before);
  }

  /**
   * What the cmpxchg found says who came first: a roll-over, which has taken the old value and left 0, or this update,
   * whose value the roll-over will then reserve.
   */
  protected fastPathHolds(_active: VmidId, before: VmidId): boolean {
    return before !== 0;
  }

  protected *slowPath(cpu: number, kvm: Kvm, _seen: VmidId): Task<boolean> {
    yield* this.lock.lock();
    const id = yield* kvm.id.load();
    const matches = yield* this.vmid_gen_match(id);
    const current = matches ? id : yield* this.renew(cpu, kvm, id);
    yield* this.storeActive(cpu, current);
    yield* this.lock.unlock();
    return !matches;
  }

  /** `atomic64_set(this_cpu_ptr(&active_vmids), id)`. */
  protected storeActive(cpu: number, id: VmidId): Step<undefined> {
    const cell = this.activeOf(cpu);
    return step(`${cell.name} := ${showVmid(id)}`, () => {
      cell.value = id;
      return undefined;
    });
  }

  protected vmid_gen_match(id: VmidId): Step<boolean> {
    return step(`generation of ${showVmid(id)}?`, () => generationOf(id) === this.generation.value);
  }

  /** `atomic64_cmpxchg_relaxed()` of `active_vmids`; returns the value before. */
  protected exchangeActive(cpu: number, expected: VmidId, id: VmidId): Step<VmidId> {
    const cell = this.activeOf(cpu);
    const run = (): number => {
      const before = cell.value;
      if (before === expected) cell.exchange(id);
      if (before === 0) this.observer.noted('fast path met a roll-over');
      else if (this.generation.value > 1) this.observer.noted('fast path after a roll-over');
      return before;
    };
    return step(`cmpxchg ${cell.name} ${showVmid(expected)} → ${showVmid(id)}`, run, showVmid);
  }

  /** `new_vmid()`: gives a machine a VMID of the current generation. With the lock held. */
  protected *renew(cpu: number, kvm: Kvm, id: VmidId): Task<VmidId> {
    const kept = yield* this.keepStep(kvm, id);
    const vmid = kept === 0 ? yield* this.allocate(cpu) : kept;
    yield* kvm.storeId(vmid);
    return vmid;
  }

  protected keepStep(kvm: Kvm, id: VmidId): Step<VmidId> {
    const renewed = (): VmidId => makeTag(vmidOf(id), this.generation.value);
    return step(`keep ${showVmid(id)}?`, () => (id === 0 ? 0 : this.keep(kvm, id, renewed())), showVmid);
  }

  protected *allocate(cpu: number): Task<VmidId> {
    const free = yield* step('find_next_zero_bit vmid_map', () => this.takeFree(this.cursor.value), showVmid);
    if (free !== 0) return free;
    yield* this.rollOver(cpu);
    return yield* step('find_next_zero_bit vmid_map', () => this.takeAfterFlush(), showVmid);
  }

  protected *rollOver(cpu: number): Task {
    yield* this.nextGeneration();
    yield* this.flush_context(cpu);
  }

  protected nextGeneration(): Step<undefined> {
    return step('vmid_generation++', () => {
      this.generation.exchange(this.generation.value + 1);
      this.observer.noted(this.generation.value > 2 ? 'second roll-over' : 'roll-over');
      return undefined;
    });
  }

  /** The VMID in the current generation, if the machine may keep it; else 0. */
  protected keep(kvm: Kvm, id: VmidId, renewed: VmidId): VmidId {
    if (this.check_update_reserved_vmid(id, renewed)) {
      this.observer.noted('reserved VMID found');
      return renewed;
    }
    if (kvm.pinned.value !== 0) return renewed;
    if (this.map.has(vmidOf(id))) return 0;
    this.map.set(vmidOf(id));
    return renewed;
  }

  /** Looks for a VMID among the reserved ones. All copies of it are updated: more than one CPU may run the machine. */
  protected check_update_reserved_vmid(id: VmidId, renewed: VmidId): boolean {
    const found = this.reserved.filter((cell) => cell.value === id);
    for (const cell of found) cell.value = renewed;
    return found.length > 0;
  }

  /** The lists of the new generation, and the flush that makes its VMIDs new. With the lock held. */
  protected *flush_context(cpu: number): Task {
    yield* this.clearMap();
    yield* this.reserveAll();
    yield* this.hyp.kvm_flush_vm_context(cpu);
  }

  protected clearMap(): Step<undefined> {
    return step('vmid_map := pinned_vmid_map', () => {
      this.map.bits = this.pinnedBits();
      if (this.pinnedMap.bits !== 0) this.observer.noted('pinned VMID kept');
      return undefined;
    });
  }

  protected pinnedBits(): number {
    return this.pinnedMap.bits;
  }

  protected *reserveAll(): Task {
    for (const [cpu, cell] of this.active.entries())
      yield* step(
        `xchg ${cell.name} 0`,
        () => {
          const active = cell.value;
          cell.exchange(0);
          this.reserve(cpu, active);
          return active;
        },
        showVmid,
      );
  }

  /**
   * What a CPU runs keeps its VMID. If it has not updated it since the last roll-over, `active` is 0, and the reserved VMID
   * is the only trace of the machine that it still runs.
   */
  protected reserve(cpu: number, active: VmidId): void {
    const cell = this.reservedOf(cpu);
    const kept = active === 0 ? cell.value : active;
    if (active === VMID_ACTIVE_INVALID) this.observer.noted('roll-over met an idle CPU');
    else if (vmidOf(kept) !== 0)
      this.observer.noted(active === 0 ? 'reserved VMID reserved again' : 'running VMID reserved');
    this.map.set(vmidOf(kept));
    cell.value = kept;
    this.observer.reserved(cpu, kept);
  }

  /** The first free VMID from a number on, taken, in the current generation; 0 if there is none. */
  protected takeFree(from: number): VmidId {
    const size = this.layout.vmids + 1;
    const vmid = this.map.findNextZero(size, from);
    if (vmid === size) return 0;
    this.map.set(vmid);
    this.cursor.value = vmid;
    return makeTag(vmid, this.generation.value);
  }

  /** "We have more VMIDs than CPUs, so this will always succeed." */
  protected takeAfterFlush(): VmidId {
    const free = this.takeFree(1);
    if (free === 0)
      this.machine.fail({
        monitor: 'tags',
        rule: 'no-free-vmid',
        message: 'After a roll-over no VMID is free: the one taken is behind the end of vmid_map.',
      });
    return free;
  }

  protected activeOf(cpu: number): Cell {
    return this.active[cpu] as Cell;
  }

  protected reservedOf(cpu: number): Cell {
    return this.reserved[cpu] as Cell;
  }
}
