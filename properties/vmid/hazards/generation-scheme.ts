import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, waitStep, type Step, type Task } from '../../../engine/step.ts';
import { generationOf, makeTag } from '../../../impl/kernel/generations/index.ts';
import {
  KvmVmid,
  vmidOf,
  type Kvm,
  type KvmHyp,
  type VmidId,
  type VmidLayout,
  type VmidObserver,
} from '../../../impl/kernel/kvm/index.ts';
import { CONFUSED, FOREIGN, SPLIT, ZERO, type VmidHazard } from './hazard.ts';

/**
 * How VMIDs were given out until Linux 5.15 (`update_vmid()`, `virt/kvm/arm/arm.c`): a roll-over takes every guest out, so that
 * nothing needs to be reserved, and each looks once more, with interrupts off, whether its generation is the current one
 * before it is entered. Nothing is pinned.
 *
 * A machine has its VMID and its generation in two words. Here they are the two halves of its id, which is stored twice.
 */
export class GenerationVmid extends KvmVmid {
  /** `kvm_next_vmid`. */
  protected readonly next: Cell;
  /** For each CPU: 1 from its last look at the generation to the entry, while interrupts are off. */
  protected readonly irqsOff: readonly Cell[];

  constructor(machine: Machine, hyp: KvmHyp, layout: VmidLayout, observer: VmidObserver) {
    super(machine, hyp, layout, observer);
    this.next = new Cell(machine, 'kvm_next_vmid');
    this.next.value = layout.taken + 1;
    this.irqsOff = Array.from({ length: layout.cpus }, (_, cpu) => new Cell(machine, `CPU${cpu} masks interrupts`));
  }

  override *kvm_arm_vmid_update(cpu: number, kvm: Kvm): Task<boolean> {
    return (yield* this.isCurrent(kvm)) ? false : yield* this.updateLocked(cpu, kvm);
  }

  protected *updateLocked(cpu: number, kvm: Kvm): Task<boolean> {
    yield* this.lock.lock();
    const isCurrent = yield* this.isCurrent(kvm);
    if (!isCurrent) yield* this.giveNew(cpu, kvm);
    yield* this.lock.unlock();
    return !isCurrent;
  }

  override kvm_arm_vmid_clear_active(): void {
    // Nobody asks what is active.
  }

  override *kvm_arm_pinned_vmid_get(): Task<number> {
    return yield* step('nothing can be pinned', () => 0);
  }

  override *exitRequested(cpu: number, kvm: Kvm): Task<boolean> {
    return yield* step('interrupts off, need_new_vmid_gen?', () => {
      const again = generationOf(kvm.id.value) !== this.generation.value;
      this.masks(cpu).value = again ? 0 : 1;
      return again;
    });
  }

  override entered(cpu: number): void {
    this.masks(cpu).value = 0;
  }

  override traceOf(): undefined {
    return undefined;
  }

  protected *giveNew(cpu: number, kvm: Kvm): Task {
    if (yield* step('VMIDs used up?', () => this.next.value > this.layout.vmids)) yield* this.rollOver(cpu);
    const id = yield* step('kvm_next_vmid++', () => makeTag(this.next.value++, this.generation.value));
    yield* this.publish(kvm, id);
  }

  protected override *rollOver(cpu: number): Task {
    yield* this.nextGeneration();
    yield* step('kvm_next_vmid := 1', () => {
      this.next.value = 1;
      return undefined;
    });
    for (let other = 0; other < this.layout.cpus; other++) if (other !== cpu) yield* this.forceExit(other);
    yield* this.hyp.kvm_flush_vm_context(cpu);
  }

  /** `force_vm_exit()` for one CPU: it takes the interrupt when it does not mask it, and is out of the guest then. */
  protected forceExit(cpu: number): Step<undefined> {
    const masks = this.masks(cpu);
    return waitStep(`interrupt CPU${cpu}`, { name: masks.name, ready: () => masks.peek(0) === 0 }, () => {
      if ((this.hyp.inGuest[cpu] as Cell).value === 1) this.hyp.exit(cpu);
      return undefined;
    });
  }

  /** The generation is there for others to see after the VMID is. */
  protected *publish(kvm: Kvm, id: VmidId): Task {
    const before = yield* kvm.id.load();
    yield* kvm.storeId(makeTag(vmidOf(id), generationOf(before)));
    yield* kvm.storeId(id);
  }

  protected isCurrent(kvm: Kvm): Step<boolean> {
    return step(`generation of ${kvm.name}?`, () => generationOf(kvm.id.value) === this.generation.value);
  }

  protected masks(cpu: number): Cell {
    return this.irqsOff[cpu] as Cell;
  }
}

class PublishedEarly extends GenerationVmid {
  override *kvm_arm_vmid_update(cpu: number, kvm: Kvm): Task<boolean> {
    return yield* this.updateLocked(cpu, kvm);
  }

  protected override *publish(kvm: Kvm, id: VmidId): Task {
    const before = yield* kvm.id.load();
    yield* kvm.storeId(makeTag(vmidOf(before), generationOf(id)));
    yield* kvm.storeId(id);
  }
}

class PublishedEarlyWithoutLock extends PublishedEarly {
  override *kvm_arm_vmid_update(cpu: number, kvm: Kvm): Task<boolean> {
    return (yield* this.isCurrent(kvm)) ? false : yield* this.updateLocked(cpu, kvm);
  }
}

class NoLookBeforeEntry extends GenerationVmid {
  override *exitRequested(cpu: number): Task<boolean> {
    return yield* step('interrupts off', () => {
      this.masks(cpu).value = 1;
      return false;
    });
  }
}

/** Mistakes in the scheme before. */
export const SCHEME_HAZARDS: readonly VmidHazard[] = [
  {
    id: 'vmid-generation-published-early',
    title: 'the generation of a machine is visible before its VMID is (the scheme before Linux 5.16)',
    citation:
      'update_vttbr(), Linux 4.17 to 4.20; commit fb544d1ca65a "KVM: arm/arm64: Fix VMID alloc race by reverting to lock-less", which fixes f0cf47d939d0',
    story:
      'A vCPU has updated its VMID; another one of the machine begins a generation and says that the machine belongs to it. The first one looks once more, finds the generation right, and enters under the old VMID.',
    expected: [SPLIT, ...CONFUSED],
    parts: { vmid: PublishedEarly, noVhe: true },
  },
  {
    id: 'vmid-generation-read-unlocked',
    title: 'the same, and the update looks at the generation without the lock (the scheme before Linux 4.17)',
    citation:
      'update_vttbr(), Linux 4.16; commit f0cf47d939d0 "KVM: arm/arm64: Close VMID generation race", which was not enough',
    story:
      'Another vCPU of the machine gives it a VMID, and has stored the generation, not yet the VMID. This one finds the generation right and enters under the VMID of before, or under none.',
    expected: [ZERO, ...CONFUSED],
    parts: { vmid: PublishedEarlyWithoutLock, noVhe: true },
  },
  {
    id: 'vmid-generation-not-checked-again',
    title: 'the generation is not looked at once more before the entry (the scheme before Linux 5.16)',
    citation:
      'kvm_arch_vcpu_ioctl_run(), Linux 5.15: need_new_vmid_gen() with interrupts off, "Re-check atomic conditions"',
    story:
      'A roll-over comes between the update and the moment in which interrupts are off. It takes out who is in a guest; this CPU goes in after it, under a VMID of the old generation.',
    expected: [FOREIGN, ...CONFUSED],
    parts: { vmid: NoLookBeforeEntry, noVhe: true },
  },
];
