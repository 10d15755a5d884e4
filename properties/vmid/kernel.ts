import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import { smp_mb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import {
  Kvm,
  KvmHyp,
  KvmHypVhe,
  KvmMmu,
  KvmVcpu,
  KvmVcpus,
  KvmVcpusVhe,
  KvmVmid,
  showVmid,
  vmidOf,
  type KvmCpu,
  type Stage2Owner,
  type VmidLayout,
  type VmidNote,
  type VmidObserver,
} from '../../impl/kernel/kvm/index.ts';
import type { Memory } from '../../impl/platform/index.ts';
import type { CpuKernel, CpuMemories } from '../cpu-world.ts';
import { Tallies } from '../tallies.ts';
import { OPERATIONS, vmName, type VmidConfiguration, type VmidOperation } from './configuration.ts';
import { VmidContract, type Allocator } from './contract.ts';
import { VmidHardware } from './hardware.ts';
import { checkLeaks } from './leaks.ts';
import { pageAddress, pageAt, physicalAddress, tableAddress } from './pages.ts';
import { VmidDevices } from './devices.ts';

/** Replaced routines. */
export interface VmidParts {
  readonly vmid: new (machine: Machine, hyp: KvmHyp, layout: VmidLayout, observer: VmidObserver) => KvmVmid;
  readonly hyp: new (machine: Machine, cpu: KvmCpu, layout: { readonly cpus: number }) => KvmHyp;
  readonly mmu: new (
    machine: Machine,
    memory: Memory,
    hyp: KvmHyp,
    owner: Stage2Owner,
    ipas: readonly number[],
  ) => KvmMmu;
  readonly vcpus: new (machine: Machine, hyp: KvmHyp, vmid: KvmVmid) => KvmVcpus;
  /** The same of a host at EL2. */
  readonly vheHyp: new (machine: Machine, cpu: KvmCpu, layout: { readonly cpus: number }) => KvmHypVhe;
  readonly vheVcpus: new (machine: Machine, hyp: KvmHypVhe, vmid: KvmVmid) => KvmVcpusVhe;
  /** What is replaced is older than `vhe`, which it does not go with. */
  readonly noVhe: true;
  readonly devices: new (machine: Machine, vmid: KvmVmid, contract: VmidContract, vms: number) => VmidDevices;
}

type Note = VmidNote | 'vCPU moved' | 'two vCPUs of a machine at once' | 'machine made again';

/** What is counted: all that the allocator notes, and what becomes of machines. */
export const NOTES: readonly Note[] = [
  'roll-over',
  'second roll-over',
  'running VMID reserved',
  'reserved VMID reserved again',
  'reserved VMID found',
  'roll-over met an idle CPU',
  'pinned VMID kept',
  'no VMID left to pin',
  'fast path after a roll-over',
  'fast path met a roll-over',
  'vCPU moved',
  'two vCPUs of a machine at once',
  'machine made again',
];

/** What becomes of a machine. */
const [ABSENT, LIVE, DYING] = [0, 1, 2];

/** KVM of a world, its machines and operations, with the contract listening. */
export class VmidKernel implements CpuKernel<VmidOperation> {
  readonly tallies: Tallies<Note, VmidOperation['op']>;
  readonly #machine: Machine;
  readonly #configuration: VmidConfiguration;
  readonly #contract: VmidContract;
  readonly #hardware: VmidHardware;
  readonly #vmid: KvmVmid;
  readonly #mmu: KvmMmu;
  readonly #runner: KvmVcpus;
  readonly #devices: VmidDevices;
  readonly #kvms: readonly Kvm[];
  readonly #vcpus: readonly KvmVcpu[];
  /** For each CPU: number of the vCPU whose thread it has, plus 1; 0: none. */
  readonly #thread: readonly Cell[];
  /** For each machine: `ABSENT`, `LIVE` or `DYING`. */
  readonly #life: readonly Cell[];
  /** For each machine: faults and notifiers that go on, for which `mmu_notifier_unregister()` waits. */
  readonly #busy: readonly Cell[];
  /** For each vCPU: the CPU on which it was last, plus 1. Only for a witness. */
  readonly #last: readonly Cell[];

  constructor(
    machine: Machine,
    { physical, memory }: CpuMemories,
    configuration: VmidConfiguration,
    parts: Partial<VmidParts>,
  ) {
    this.#machine = machine;
    this.tallies = new Tallies(machine, NOTES, OPERATIONS);
    this.#configuration = configuration;
    const { cpus, vms, vcpus, pages } = configuration;
    const ipas = Array.from({ length: pages }, (_, page) => pageAddress(page));
    this.#hardware = new VmidHardware(machine, physical, configuration, {
      entered: (cpu, pgd) => this.#entered(cpu, pgd),
      left: (cpu) => this.#contract.left(cpu),
    });
    this.#contract = new VmidContract(machine, this.#hardware, this.#allocator(), configuration);
    const vhe = configuration.vhe ? new (parts.vheHyp ?? KvmHypVhe)(machine, this.#hardware, configuration) : undefined;
    const hyp = vhe ?? new (parts.hyp ?? KvmHyp)(machine, this.#hardware, configuration);
    this.#vmid = new (parts.vmid ?? KvmVmid)(machine, hyp, configuration, this.#observer());
    this.#mmu = new (parts.mmu ?? KvmMmu)(machine, memory, hyp, this.#owner(), ipas);
    this.#runner =
      vhe === undefined
        ? new (parts.vcpus ?? KvmVcpus)(machine, hyp, this.#vmid)
        : new (parts.vheVcpus ?? KvmVcpusVhe)(machine, vhe, this.#vmid);
    this.#devices = new (parts.devices ?? VmidDevices)(machine, this.#vmid, this.#contract, vms);
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
    const internal = { internal: true };
    this.#kvms = numbers(vms).map((vm) => new Kvm(machine, vmName(vm), tableAddress(vm), cpus));
    this.#vcpus = this.#kvms.flatMap((kvm) => numbers(vcpus).map((id) => new KvmVcpu(machine, kvm, id)));
    this.#thread = numbers(cpus).map((cpu) => new Cell(machine, `thread of CPU${cpu}`, internal));
    this.#life = numbers(vms).map((vm) => new Cell(machine, `life of ${vmName(vm)}`, internal));
    this.#busy = numbers(vms).map((vm) => new Cell(machine, `faults of ${vmName(vm)}`, internal));
    this.#last = this.#vcpus.map(({ name }) => new Cell(machine, `last CPU of ${name}`, internal));
    physical.onWrite(() => this.#contract.check());
    const host = new Kvm(machine, 'host', tableAddress(vms), 0);
    for (const [page, ipa] of ipas.entries())
      this.#mmu.setPte(host, ipa, physicalAddress({ vm: vms, page, version: 0 }));
    for (const vm of numbers(vms)) this.#create(vm);
  }

  /** An operation on a CPU. */
  task(cpu: number, operation: VmidOperation): Task {
    switch (operation.op) {
      case 'run':
        return this.#run(cpu, operation.vm, operation.vcpu);
      case 'exit':
        return this.#exit(cpu);
      case 'put':
        return this.#put(cpu);
      case 'unmap':
      case 'fault':
        return this.#change(cpu, operation);
      case 'pin':
        return this.#pin(cpu, operation.vm);
      case 'unpin':
        return this.#unpin(cpu, operation.vm);
      case 'destroy':
        return this.#destroy(cpu, operation.vm);
    }
  }

  /** When every CPU has ended what it does: that nothing is left over. */
  checkLeaks(): void {
    const isLive = (vm: number): boolean => this.#isLive(vm);
    const usersOf = (vm: number): number => this.#devices.usersOf(vm);
    checkLeaks(this.#machine, { contract: this.#contract, vmid: this.#vmid, kvms: this.#kvms, usersOf, isLive });
  }

  /** What each CPU is in. */
  snapshot(): readonly string[] {
    return Array.from({ length: this.#configuration.cpus }, (_, cpu) => {
      const vm = this.#contract.running(cpu);
      const vmid = this.#hardware.vmid(cpu);
      return `CPU${cpu} ${vm < 0 ? 'is in the host' : `is in ${vmName(vm)}`}${this.#hardware.hasGuest(cpu) ? `, VMID ${vmid}` : ''}`;
    });
  }

  /** The thread of a vCPU comes to a CPU, after the one that was there, or goes on; and enters the guest. */
  *#run(cpu: number, vm: number, id: number): Task {
    const vcpu = this.#vcpu(vm, id);
    const before = yield* step(`schedule ${vcpu.name}`, () => this.#schedule(cpu, vm, vcpu));
    if (before === 'does not apply') return;
    if (before !== 'nothing' && before !== vcpu.name) yield* this.#runner.vcpu_put(cpu, this.#named(before));
    if (before !== vcpu.name) yield* this.#runner.vcpu_load(cpu, vcpu);
    yield* this.#runner.vcpu_run(cpu, vcpu);
  }

  /** Inside a step: what the CPU had before, or that the thread cannot run there. */
  #schedule(cpu: number, vm: number, vcpu: KvmVcpu): string {
    const life = this.#life[vm] as Cell;
    const applies = life.value !== DYING && (vcpu.cpu.value === 0 || vcpu.cpu.value === cpu + 1);
    this.tallies.ran('run', applies);
    if (!applies) return 'does not apply';
    this.#runner.interrupt(cpu);
    if (life.value === ABSENT) {
      this.#create(vm);
      this.#note('machine made again');
    }
    vcpu.cpu.value = cpu + 1;
    const thread = this.#thread[cpu] as Cell;
    const before = thread.value === 0 ? 'nothing' : (this.#vcpus[thread.value - 1] as KvmVcpu).name;
    thread.value = this.#vcpus.indexOf(vcpu) + 1;
    return before;
  }

  *#exit(cpu: number): Task {
    yield* this.#first(cpu, 'exit', 'exit', () => this.#runner.isInGuest(cpu));
  }

  *#put(cpu: number): Task {
    const before = yield* step('leave the CPU', () => {
      const thread = this.#thread[cpu] as Cell;
      const vcpu = this.#vcpus[thread.value - 1];
      this.tallies.ran('put', vcpu !== undefined);
      if (vcpu === undefined) return 'does not apply';
      this.#runner.interrupt(cpu);
      thread.value = 0;
      return vcpu.name;
    });
    if (before !== 'does not apply') yield* this.#runner.vcpu_put(cpu, this.#named(before));
  }

  *#change(
    cpu: number,
    { op, vm, page }: { readonly op: 'unmap' | 'fault'; readonly vm: number; readonly page: number },
  ): Task {
    const busy = this.#busy[vm] as Cell;
    const goes = yield* this.#first(cpu, op, `${op} page ${page} of ${vmName(vm)}`, () => {
      if (!this.#isLive(vm)) return false;
      busy.value++;
      return true;
    });
    if (!goes) return;
    const ipa = pageAddress(page);
    const kvm = this.#kvm(vm);
    yield* op === 'fault' ? this.#mmu.user_mem_abort(kvm, ipa) : this.#mmu.kvm_unmap_gfn(cpu, kvm, ipa);
    yield* step(`${op} ends`, () => {
      busy.value--;
      return undefined;
    });
  }

  *#pin(cpu: number, vm: number): Task {
    const goes = yield* this.#first(cpu, 'pin', `attach to ${vmName(vm)}`, () => {
      if (!this.#isLive(vm)) return false;
      this.#devices.hold(vm);
      return true;
    });
    if (goes) yield* this.#devices.attach(cpu, vm, this.#kvm(vm));
  }

  *#unpin(cpu: number, vm: number): Task {
    const goes = yield* this.#first(cpu, 'unpin', `detach from ${vmName(vm)}`, () => this.#devices.mayDetach(vm));
    if (goes) yield* this.#devices.detach(vm, this.#kvm(vm));
  }

  /** The last reference to a machine goes: no vCPU of it runs, no fault of it goes on, no device uses it. */
  *#destroy(cpu: number, vm: number): Task {
    const goes = yield* this.#first(cpu, 'destroy', `kvm_destroy_vm ${vmName(vm)}`, () => {
      const isUsed = this.#vcpus.some(({ kvm, cpu: at }) => kvm === this.#kvm(vm) && at.value !== 0);
      const isBusy = isUsed || (this.#busy[vm] as Cell).value !== 0 || this.#devices.isHeld(vm);
      if (!this.#isLive(vm) || isBusy) return false;
      (this.#life[vm] as Cell).value = DYING;
      return true;
    });
    if (!goes) return;
    yield* this.#mmu.kvm_free_stage2_pgd(this.#kvm(vm));
    yield* step(`${vmName(vm)} is gone`, () => {
      this.#vmid.kvm_destroy_vm(this.#kvm(vm));
      (this.#life[vm] as Cell).value = ABSENT;
      return undefined;
    });
  }

  /** A machine with all its pages, inside a step or during set-up. */
  #create(vm: number): void {
    const kvm = this.#kvm(vm);
    kvm.init();
    (this.#life[vm] as Cell).value = LIVE;
    for (let page = 0; page < this.#configuration.pages; page++) {
      const version = this.#contract.mapping(vm, page);
      this.#mmu.setPte(kvm, pageAddress(page), physicalAddress({ vm, page, version }));
    }
    // Nobody has the machine before its file descriptor is there.
    smp_mb(this.#machine);
  }

  /** The first step of what the host does: out of the guest, and it finds out whether the operation applies. */
  #first(cpu: number, op: VmidOperation['op'], label: string, run: () => boolean): Step<boolean> {
    return step(
      label,
      () => {
        const applies = run();
        this.#runner.interrupt(cpu);
        this.tallies.ran(op, applies);
        return applies;
      },
      (applies) => (applies ? undefined : 'does not apply'),
    );
  }

  #note(note: Note): void {
    this.tallies.noted(note);
  }

  #entered(cpu: number, pgd: number): void {
    const thread = (this.#thread[cpu] as Cell).value - 1;
    const vm = Math.floor(thread / this.#configuration.vcpus);
    const last = this.#last[thread];
    if (last !== undefined && last.value !== 0 && last.value !== cpu + 1) this.#note('vCPU moved');
    if (last !== undefined) last.value = cpu + 1;
    this.#contract.entered(
      cpu,
      vm,
      this.#kvms.findIndex((kvm) => kvm.pgd === pgd),
    );
    for (let other = 0; other < this.#configuration.cpus; other++)
      if (other !== cpu && this.#contract.running(other) === vm) this.#note('two vCPUs of a machine at once');
  }

  #allocator(): Allocator {
    return {
      traceOf: (cpu) => this.#vmid.traceOf(cpu),
      idOf: (vm) => this.#kvm(vm).id.peek(0),
      vmidOf,
      show: showVmid,
    };
  }

  #observer(): VmidObserver {
    return {
      noted: (note) => this.#note(note),
      reserved: (cpu, id) => {
        const isLoaded = this.#vcpus.some((vcpu) => vcpu.cpu.peek(0) === cpu + 1);
        // On a weak machine a roll-over may come before the store that says so.
        if (!isLoaded && this.#machine.buffers === undefined) this.#contract.reservedIdle(cpu, id);
      },
    };
  }

  #owner(): Stage2Owner {
    const index = (kvm: Kvm): number => this.#kvms.indexOf(kvm);
    return {
      unmapping: (kvm, ipa) => this.#contract.unmapping(index(kvm), pageAt(ipa)),
      freed: (kvm, ipa) => this.#contract.freed(index(kvm), pageAt(ipa)),
      mapping: (kvm, ipa) => {
        const [vm, page] = [index(kvm), pageAt(ipa)];
        return physicalAddress({ vm, page, version: this.#contract.mapping(vm, page) });
      },
    };
  }

  #isLive(vm: number): boolean {
    return (this.#life[vm] as Cell).value === LIVE;
  }

  #kvm(vm: number): Kvm {
    return this.#kvms[vm] as Kvm;
  }

  #vcpu(vm: number, id: number): KvmVcpu {
    return this.#vcpus[vm * this.#configuration.vcpus + id] as KvmVcpu;
  }

  #named(name: string): KvmVcpu {
    return this.#vcpus.find((vcpu) => vcpu.name === name) as KvmVcpu;
  }
}
