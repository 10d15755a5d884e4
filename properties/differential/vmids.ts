import type { AgentSpec } from '../../engine/agent.ts';
import { Machine } from '../../engine/machine.ts';
import { step, type Task } from '../../engine/step.ts';
import { Kvm, KvmHyp, KvmVmid, VMID_ACTIVE_INVALID, vmidOf, type KvmCpu } from '../../impl/kernel/kvm/index.ts';
import { generationOf } from '../../impl/kernel/generations/index.ts';
import type { Routines } from '../../model/allocators/model.ts';
import { NO_TAG } from '../../model/allocators/tag.ts';
import { VmidAllocator } from '../../model/allocators/vmid.ts';
import type { Described } from './reach.ts';

/** What a CPU does: enters a guest of a virtual machine, or puts its vCPU. */
export type VmidOperation = { readonly op: 'run'; readonly vm: number } | { readonly op: 'put' };

/** A program, and the machine that it runs on. */
export interface VmidProgram {
  readonly cpus: readonly (readonly VmidOperation[])[];
  readonly vms: number;
  /** VMIDs for virtual machines, and how many of them are gone. */
  readonly vmids: number;
  readonly taken: number;
}

type VmidClass = new (...parts: ConstructorParameters<typeof KvmVmid>) => KvmVmid;

/** More roll-overs than any small program makes. */
const GENERATIONS = 8;
const IDLE = 'idle';

/** KVM's allocator, alone, on CPUs that only remember what they were told. */
export function kvmSystem({ cpus, vms, vmids, taken }: VmidProgram, Vmid: VmidClass = KvmVmid): Described {
  const machine = new Machine();
  const { store } = machine;
  const running = store.reserve(cpus.length, 'running');
  const under = store.reserve(cpus.length, 'under');
  const nothing = (): undefined => undefined;
  const cpu = { tlbiAlle1is: nothing, dsbIsh: nothing } as unknown as KvmCpu;
  const hyp = new KvmHyp(machine, cpu, { cpus: cpus.length });
  const layout = { cpus: cpus.length, vmids, taken };
  const allocator = new Vmid(machine, hyp, layout, { noted: nothing, reserved: nothing });
  const all = Array.from({ length: vms }, (_, vm) => new Kvm(machine, `VM${vm}`, 0x1000 * (vm + 1), cpus.length));
  function* task(at: number, operation: VmidOperation): Task {
    if (operation.op === 'put') {
      yield* step('vcpu_put', () => {
        if (store.get(running + at) !== 0) allocator.kvm_arm_vmid_clear_active(at);
        store.set(running + at, 0);
        store.set(under + at, 0);
        return undefined;
      });
      return;
    }
    const kvm = all[operation.vm] as Kvm;
    yield* step('out of the guest', () => {
      store.set(running + at, operation.vm + 1);
      store.set(under + at, 0);
      return undefined;
    });
    yield* allocator.kvm_arm_vmid_update(at, kvm);
    yield* step('enter', () => {
      store.set(under + at, vmidOf(kvm.id.value));
      return undefined;
    });
  }
  const show = (id: number): string =>
    id === 0 ? '-' : id === VMID_ACTIVE_INVALID ? IDLE : `${vmidOf(id)}/g${generationOf(id)}`;
  return {
    system: { machine, agents: agents(cpus, task) },
    assignment: () => all.map(({ id }) => show(id.peek(0))).join(' '),
    end: () => {
      const kept = cpus.map((_, at) => show(allocator.traceOf(at) ?? 0));
      const runs = cpus.map((_, at) => `${store.get(running + at)}@${store.get(under + at)}`);
      return [...all.map(({ id }) => show(id.peek(0))), '|', ...kept, '|', ...runs].join(' ');
    },
  };
}

/** The model of it, with the same program. */
export function vmidModelSystem(
  { cpus, vms, vmids, taken }: VmidProgram,
  routines: Routines<VmidAllocator> = {},
): Described {
  const config = { cpus: cpus.length, spaces: vms, tags: vmids + 1, generations: GENERATIONS };
  const allocator = Object.assign(new VmidAllocator(config), routines);
  const { state, loaded } = allocator;
  for (let vmid = 1; vmid <= taken; vmid++) state.map.set(0, state.map.get() | (1 << vmid));
  state.cursor.set(0, Math.max(1, taken));
  function* task(cpu: number, operation: VmidOperation): Task {
    if (operation.op === 'put') {
      yield* step('vcpu_put', () => {
        if (loaded.get(cpu) !== 0) allocator.clearActive(cpu);
        allocator.leave(cpu);
        return loaded.set(cpu, 0);
      });
      return;
    }
    yield* step('out of the guest', () => {
      allocator.leave(cpu);
      return loaded.set(cpu, operation.vm + 1);
    });
    const { tag } = yield* allocator.acquire(cpu, operation.vm);
    yield* step('enter', () => {
      allocator.load(cpu, operation.vm, tag);
      return undefined;
    });
  }
  const { format } = state;
  const show = (tag: number): string =>
    tag === NO_TAG ? '-' : tag === allocator.invalid ? IDLE : `${format.number(tag)}/g${format.generation(tag)}`;
  const spaces = Array.from({ length: vms }, (_, vm) => vm);
  const each = cpus.map((_, cpu) => cpu);
  return {
    system: { machine: state.machine, agents: agents(cpus, task) },
    assignment: () => spaces.map((vm) => show(state.context.get(vm))).join(' '),
    end: () => {
      const kept = each.map((cpu) => show(state.active.get(cpu) || state.reserved.get(cpu)));
      const runs = each.map((cpu) => `${loaded.get(cpu)}@${state.runningNumber.get(cpu)}`);
      return [...spaces.map((vm) => show(state.context.get(vm))), '|', ...kept, '|', ...runs].join(' ');
    },
  };
}

function agents(cpus: VmidProgram['cpus'], task: (cpu: number, operation: VmidOperation) => Task): AgentSpec[] {
  return cpus.map((operations, cpu) => ({
    name: `CPU${cpu}`,
    context: 'process',
    daemon: false,
    operations: operations.map((operation) => ({
      label: operation.op === 'put' ? 'put' : `run VM${operation.vm}`,
      start: () => task(cpu, operation),
    })),
  }));
}
