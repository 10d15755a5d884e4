import type { AgentSpec } from '../../engine/agent.ts';
import { Machine } from '../../engine/machine.ts';
import { step, waitStep, type Task } from '../../engine/step.ts';
import {
  Arm64Context,
  Arm64Mm,
  ctxid2asid,
  generationOf,
  type Arm64Cpu,
  type Arm64Layout,
  type ContextObserver,
} from '../../impl/kernel/arm64/index.ts';
import { AsidAllocator } from '../../model/allocators/asid.ts';
import type { Routines } from '../../model/allocators/model.ts';
import { NO_TAG } from '../../model/allocators/tag.ts';
import type { Described } from '../differential/reach.ts';
import { mmName } from './configuration.ts';

/** What a CPU does: switch to a process; have its ASID pinned, or given back. */
export interface SmallOperation {
  readonly op: 'switch' | 'pin' | 'unpin';
  readonly mm: number;
}

/** A program, and the machine that it runs on. */
export interface SmallProgram {
  readonly cpus: readonly (readonly SmallOperation[])[];
  readonly mms: number;
  /** ASIDs for processes, and how many of them are gone. */
  readonly asids: number;
  readonly taken: number;
}

/** More roll-overs than any small program makes. */
const GENERATIONS = 8;

type AllocatorClass = new (
  machine: Machine,
  cpu: Arm64Cpu,
  layout: Arm64Layout,
  observer: ContextObserver,
) => Arm64Context;

/** The kernel's allocator, alone, on CPUs that only remember what they were told. */
export function kernelSystem(program: SmallProgram, Kernel: AllocatorClass = Arm64Context): Described {
  const machine = new Machine();
  const { cpus, mms, asids, taken } = program;
  const running = machine.store.reserve(cpus.length, 'running');
  const under = machine.store.reserve(cpus.length, 'under');
  const bound = machine.store.reserve(mms, 'ASID that a device uses');
  const cpu: Arm64Cpu = {
    writeTtbr0: (at, _pgd, asid) => machine.store.set(under + at, asid),
    writeAsid: () => undefined,
    clearTtbr0: () => undefined,
    tlbi: () => undefined,
    dsbNsh: () => undefined,
    dsbIsh: () => undefined,
  };
  const context = new Kernel(machine, cpu, { cpus: cpus.length, asids, taken, cnp: false }, { noted: () => undefined });
  const all = Array.from({ length: mms }, (_, mm) => new Arm64Mm(machine, mmName(mm), 0x1000 * (mm + 1)));
  const set = (cell: number, value: number): undefined => {
    machine.store.set(cell, value);
    return undefined;
  };
  function* task(at: number, { op, mm }: SmallOperation): Task {
    const space = all[mm] as Arm64Mm;
    if (op === 'pin') {
      const asid = yield* context.arm64_mm_context_get(space);
      yield* step('bound', () => set(bound + mm, asid));
    } else if (op === 'unpin') {
      if ((yield* step('bound?', () => machine.store.get(bound + mm))) !== 0)
        yield* context.arm64_mm_context_put(space);
    } else {
      const goes = yield* step('schedule', () => machine.store.get(running + at) !== mm + 1);
      if (!goes) return;
      yield* context.check_and_switch_context(at, space);
      yield* step('runs', () => set(running + at, mm + 1));
    }
  }
  const show = (id: number): string => (id === 0 ? '-' : `${ctxid2asid(id)}/g${generationOf(id)}`);
  return {
    system: { machine, agents: agents(program, task) },
    assignment: () => all.map(({ id }) => show(id.peek(0))).join(' '),
    end: () => {
      const kept = cpus.map((_, at) => show(context.traceOf(at) ?? 0));
      const runs = cpus.map((_, at) => `${machine.store.get(running + at)}@${machine.store.get(under + at)}`);
      return [...all.map(({ id }) => show(id.peek(0))), '|', ...kept, '|', ...runs].join(' ');
    },
  };
}

/** The model of it, to which TLC's counts were compared, with the same program. */
export function modelSystem(program: SmallProgram, routines: Routines<AsidAllocator> = {}): Described {
  const { cpus, mms, asids, taken } = program;
  const config = { cpus: cpus.length, spaces: mms, tags: asids + 1, generations: GENERATIONS, pinned: mms };
  const allocator = Object.assign(new AsidAllocator(config), routines);
  const { state } = allocator;
  for (let asid = 1; asid <= taken; asid++) state.map.set(0, state.map.get() | (1 << asid));
  state.cursor.set(0, Math.max(1, taken));
  const unlocked = state.untilZero(state.lock, 0, 'the allocator lock');
  function* task(cpu: number, { op, mm }: SmallOperation): Task {
    if (op === 'pin') yield* pinOnce(mm);
    else if (op === 'unpin') {
      if ((yield* step('bound?', () => allocator.device.get(mm))) !== 0)
        yield* waitStep('unbind', unlocked, () => allocator.unpin(mm));
    } else {
      if (!(yield* step('pick', () => state.running.get(cpu) !== mm + 1))) return;
      const { tag } = yield* allocator.acquire(cpu, mm);
      yield* step('write TTBR0', () => {
        allocator.load(cpu, mm, tag);
        return undefined;
      });
    }
  }
  function* pinOnce(mm: number): Task {
    const looked = yield* waitStep('spin_lock', unlocked, () => {
      if (!allocator.mayPin()) return -1;
      state.lock.set(0, 1);
      const tag = state.context.get(mm);
      return tag * 2 + (allocator.isCurrent(tag) ? 1 : 0);
    });
    if (looked < 0) return;
    const found = looked >> 1;
    const current = (looked & 1) === 1;
    const tag = current ? found : yield* allocator.renew(cpus.length, mm, { tag: found, before: NO_TAG });
    yield* step('pin, spin_unlock', () => allocator.pin(mm, tag));
  }
  const { format } = state;
  const show = (tag: number): string => (tag === NO_TAG ? '-' : `${format.number(tag)}/g${format.generation(tag)}`);
  const spaces = Array.from({ length: mms }, (_, mm) => mm);
  return {
    system: { machine: state.machine, agents: agents(program, task) },
    assignment: () => spaces.map((mm) => show(state.context.get(mm))).join(' '),
    end: () => {
      const kept = cpus.map((_, cpu) => show(state.active.get(cpu) || state.reserved.get(cpu)));
      const runs = cpus.map((_, cpu) => `${state.running.get(cpu)}@${state.runningNumber.get(cpu)}`);
      return [...spaces.map((mm) => show(state.context.get(mm))), '|', ...kept, '|', ...runs].join(' ');
    },
  };
}

function agents({ cpus }: SmallProgram, task: (cpu: number, operation: SmallOperation) => Task): AgentSpec[] {
  return cpus.map((operations, cpu) => ({
    name: `CPU${cpu}`,
    context: 'process',
    daemon: false,
    operations: operations.map((operation) => ({
      label: `${operation.op}(${mmName(operation.mm)})`,
      start: () => task(cpu, operation),
    })),
  }));
}
