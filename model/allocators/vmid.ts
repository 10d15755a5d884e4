import type { AgentSpec } from '../../engine/agent.ts';
import { step, waitStep, type Task } from '../../engine/step.ts';
import { checkTlbs } from './invariants.ts';
import { endless } from './agents.ts';
import { AllocatorModel, type Routines, type Symmetry } from './model.ts';
import { showSpace, spaceName, type AllocatorConfig, type Row } from './state.ts';
import { TagAllocator } from './tag-allocator.ts';
import { NO_TAG } from './tag.ts';

/**
 * The VMID allocator (arch/arm64/kvm/vmid.c since Linux 5.16). It is the ASID allocator but for two things: a roll-over flushes
 * the TLBs of all CPUs at once, and a CPU that puts its vCPU has an active VMID that is invalid, so that a roll-over
 * reserves nothing for it.
 *
 * CPUs may use each other's TLB entries, since KVM sets CnP where the hardware has it.
 */
export class VmidAllocator extends TagAllocator {
  /** For each CPU: the machine whose vCPU is loaded. It runs between two updates of its VMID. */
  readonly loaded: Row;
  /** VMID_ACTIVE_INVALID: number 0 of the first generation, which no machine has. */
  readonly invalid: number;

  constructor(config: AllocatorConfig) {
    super(config);
    this.loaded = this.state.row('loaded', 'cpu', showSpace);
    this.invalid = this.state.format.make(1, 0);
  }

  /** A vCPU is loaded and its guest entered, left for the host and entered, again and again. */
  *run(cpu: number, space: number): Task {
    const { state } = this;
    const free = {
      name: `CPU${cpu}`,
      ready: () => state.switching.get(cpu) === 0 && (this.loaded.get(cpu) === 0 || this.loaded.get(cpu) === space + 1),
    };
    for (;;) {
      yield* this.at('in the guest or not loaded');
      yield* waitStep(`vCPU of ${spaceName(space)} is about to run`, free, () => {
        this.loaded.set(cpu, space + 1);
        this.leave(cpu);
        return state.switching.set(cpu, space + 1);
      });
      const { tag, before } = yield* this.acquire(cpu, space);
      yield* this.at('enter', tag, before);
      yield* step('write VTTBR, enter the guest', () => {
        this.load(cpu, space, tag);
        return state.switching.set(cpu, 0);
      });
    }
  }

  /** The vCPU of a CPU leaves its guest and is put. */
  *put(cpu: number): Task {
    const { state } = this;
    const running = {
      name: `a vCPU on CPU${cpu}`,
      ready: () => state.switching.get(cpu) === 0 && this.loaded.get(cpu) !== 0,
    };
    for (;;) {
      yield* this.at('loaded');
      yield* waitStep('leave the guest', running, () => {
        this.leave(cpu);
        return state.switching.set(cpu, this.loaded.get(cpu));
      });
      yield* this.at('put');
      yield* step('vcpu_put', () => {
        this.clearActive(cpu);
        this.loaded.set(cpu, 0);
        return state.switching.set(cpu, 0);
      });
    }
  }

  /** kvm_arm_vmid_clear_active. No lock: a roll-over that takes the active VMID at this time reserves it, or nothing. */
  clearActive(cpu: number): void {
    const { state } = this;
    if (state.active.get(cpu) === NO_TAG && state.lock.get() !== 0)
      this.witness('a vCPU was put while a roll-over went on');
    state.active.set(cpu, this.invalid);
  }

  override preserve(cpu: number, active: number): undefined {
    if (active === this.invalid) this.witness('a roll-over met an idle CPU');
    return super.preserve(cpu, active);
  }

  /** All TLBs are flushed at once: roll-overs of VMIDs are rare. */
  override afterFlush(): undefined {
    this.flushAll();
    return undefined;
  }

  override mayEnd(space: number): boolean {
    for (let cpu = 0; cpu < this.state.cpus; cpu++) if (this.loaded.get(cpu) === space + 1) return false;
    return super.mayEnd(space);
  }

  override check(): void {
    const { state } = this;
    checkTlbs(state, { shared: true, replaced: (this.config.replaced ?? 0) > 0 });
    for (let cpu = 0; cpu < state.cpus; cpu++) if (state.running.get(cpu) !== 0) this.#checkGuest(cpu);
  }

  /** A guest runs under a VMID other than 0, which the allocator knows to be in use. */
  #checkGuest(cpu: number): void {
    const { state } = this;
    const { format } = state;
    const number = state.runningNumber.get(cpu);
    if (number === 0) this.fail('vmid-zero-entered', `CPU${cpu} runs a guest under VMID 0.`);
    // In the middle of a roll-over a VMID is on its way from active to reserved.
    if (state.lock.get() !== 0) return;
    const active = state.active.get(cpu);
    const known = active === NO_TAG ? state.reserved.get(cpu) : active;
    if (format.number(known) !== number)
      this.fail('running-tag-not-kept', `CPU${cpu} runs VMID ${number}, which is neither active nor reserved there.`);
  }

  /** The agents: each CPU with the vCPU of each machine, what puts it, and what both allocators have. */
  agents(): AgentSpec[] {
    return [
      ...this.perCpuAndSpace((cpu, space) => this.run(cpu, space)),
      ...Array.from({ length: this.config.cpus }, (_, cpu) => endless(`CPU${cpu} put`, () => this.put(cpu))),
      ...this.otherAgents(),
    ];
  }
}

/** A model of the KVM VMID allocator, ready to be explored. @param routines replaced ones: a bug. */
export function vmidAllocator(
  config: AllocatorConfig,
  routines: Routines<VmidAllocator> = {},
  symmetry: Symmetry = 'none',
): AllocatorModel {
  const allocator = Object.assign(new VmidAllocator(config), routines);
  return new AllocatorModel(allocator, allocator.agents(), symmetry);
}
