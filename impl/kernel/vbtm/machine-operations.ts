import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { KvmVcpu, type KvmMmu, type KvmVcpus } from '../kvm/index.ts';
import type { IommufdContexts } from './iommufd.ts';
import type { VirtualMachines } from './machines.ts';

/** What a program can do with virtual machines, each a task for a CPU. False if it does not apply. */
export class MachineOperations {
  protected readonly machines: VirtualMachines;
  protected readonly vcpus: KvmVcpus;
  protected readonly mmu: KvmMmu;
  /** Which iommufd context goes with a machine's KVM. */
  protected readonly iommufd: IommufdContexts;
  /** The vCPU of each machine for each CPU. */
  readonly #all: readonly (readonly KvmVcpu[])[];
  /** For each CPU, the machine whose vCPU is loaded, plus 1. Only that CPU looks at it. */
  readonly #loaded: readonly Cell[];
  readonly #contexts: number;

  constructor(
    machine: Machine,
    parts: {
      readonly cpus: number;
      readonly machines: VirtualMachines;
      readonly vcpus: KvmVcpus;
      readonly mmu: KvmMmu;
      readonly iommufd: IommufdContexts;
      /** Machines that have an iommufd context: the first ones. */
      readonly contexts: number;
    },
  ) {
    this.machines = parts.machines;
    this.vcpus = parts.vcpus;
    this.mmu = parts.mmu;
    this.iommufd = parts.iommufd;
    this.#contexts = parts.contexts;
    const cpus = Array.from({ length: parts.cpus }, (_, cpu) => cpu);
    this.#all = parts.machines.kvms.map((kvm) => cpus.map((cpu) => new KvmVcpu(machine, kvm, cpu)));
    this.#loaded = cpus.map((cpu) => new Cell(machine, `CPU${cpu} loaded`, { internal: true }));
  }

  /** The machine whose vCPU a CPU has loaded, -1 for none. Inside a step. */
  loaded(cpu: number): number {
    return (this.#loaded[cpu] as Cell).value - 1;
  }

  /** How many CPUs have a vCPU of a machine loaded. */
  running(machine: number): number {
    return this.#loaded.filter((cell) => cell.value === machine + 1).length;
  }

  /** A vCPU of a machine runs on the CPU from now on; what ran there is put. */
  *run(cpu: number, machine: number): Task<boolean> {
    const before = yield* this.#schedule(cpu, machine);
    if (before === REFUSED) return false;
    yield* this.#enter(cpu, machine, before);
    return true;
  }

  /** Software of a guest is to run: as `run`, but nothing happens if it does already. */
  *runGuest(cpu: number, machine: number): Task<boolean> {
    const runs = yield* step(
      'in the guest?',
      () => this.loaded(cpu) === machine && this.vcpus.isInGuest(cpu),
      (is) => (is ? 'yes' : 'no'),
    );
    return runs || (yield* this.run(cpu, machine));
  }

  /** The vCPU that the CPU runs is scheduled out. */
  *put(cpu: number): Task<boolean> {
    const machine = yield* step(
      'leave the guest',
      () => {
        const found = this.loaded(cpu);
        this.vcpus.interrupt(cpu);
        (this.#loaded[cpu] as Cell).value = 0;
        return found;
      },
      (found) => (found < 0 ? 'none' : undefined),
    );
    if (machine < 0) return false;
    yield* this.#putVcpu(cpu, machine);
    return true;
  }

  /** A machine comes, runs once, and goes. */
  *churn(cpu: number, machine: number): Task<boolean> {
    const made = yield* step('kvm_create_vm', () => {
      if (!this.machines.isGone(machine)) return false;
      this.machines.create(machine);
      return true;
    });
    if (!made) return false;
    const ran = yield* this.run(cpu, machine);
    if (ran) yield* this.put(cpu);
    yield* this.#close(machine);
    yield* this.machines.kvm_put_kvm(machine);
    return true;
  }

  /** A fault of the guest maps a page of KVM's stage 2. */
  *map(cpu: number, machine: number, ipa: number): Task<boolean> {
    if (!(yield* this.#use(`fault in ${this.machines.nameOf(machine)}`, cpu, machine))) return false;
    const done = yield* this.mmu.user_mem_abort(this.machines.kvm(machine), ipa);
    yield* this.machines.kvm_put_kvm(machine);
    return done;
  }

  /** An MMU notifier takes a page out of KVM's stage 2. */
  *unmap(cpu: number, machine: number, ipa: number): Task<boolean> {
    if (!(yield* this.#use(`mmu_notifier of ${this.machines.nameOf(machine)}`, cpu, machine))) return false;
    const done = yield* this.mmu.kvm_unmap_gfn(cpu, this.machines.kvm(machine), ipa);
    yield* this.machines.kvm_put_kvm(machine);
    return done;
  }

  /** The files of a machine are closed: its iommufd context forgets it, and it goes when nobody uses it any more. */
  *destroy(machine: number): Task<boolean> {
    if (!(yield* this.#close(machine))) return false;
    if (machine < this.#contexts) yield* this.iommufd.release(machine);
    yield* this.machines.kvm_put_kvm(machine);
    return true;
  }

  /** The CPU leaves its guest for the host, and takes a reference for a while, if the machine is there. */
  #use(label: string, cpu: number, machine: number): Step<boolean> {
    return step(label, () => {
      if (!this.machines.isOpen(machine)) return false;
      this.vcpus.interrupt(cpu);
      return this.machines.kvm_get_kvm_safe(machine);
    });
  }

  #close(machine: number): Step<boolean> {
    return step(`close ${this.machines.nameOf(machine)}`, () => this.machines.close(machine));
  }

  /** The scheduler chooses a vCPU's thread: the machine is in use. Returns what was loaded. */
  #schedule(cpu: number, machine: number): Step<number> {
    return step(
      `schedule ${this.machines.nameOf(machine)}`,
      () => {
        const before = this.loaded(cpu);
        if (before === machine && this.vcpus.isInGuest(cpu)) return REFUSED;
        if (!this.machines.isOpen(machine)) return REFUSED;
        if (before !== machine) this.machines.kvm_get_kvm_safe(machine);
        this.vcpus.interrupt(cpu);
        (this.#loaded[cpu] as Cell).value = machine + 1;
        return before;
      },
      () => undefined,
    );
  }

  *#enter(cpu: number, machine: number, before: number): Task {
    const vcpu = this.#vcpu(machine, cpu);
    if (before >= 0 && before !== machine) yield* this.#putVcpu(cpu, before);
    if (before !== machine) yield* this.vcpus.vcpu_load(cpu, vcpu);
    yield* this.vcpus.vcpu_run(cpu, vcpu);
  }

  *#putVcpu(cpu: number, machine: number): Task {
    yield* this.vcpus.vcpu_put(cpu, this.#vcpu(machine, cpu));
    yield* this.machines.kvm_put_kvm(machine);
  }

  #vcpu(machine: number, cpu: number): KvmVcpu {
    return this.#all[machine]?.[cpu] as KvmVcpu;
  }
}

const REFUSED = -2;
