import { expect, test } from 'vitest';
import { Machine } from '../../../engine/machine.ts';
import { NOTHING, type Step, type Task } from '../../../engine/step.ts';
import { PhysicalMemory } from '../../platform/index.ts';
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
  VMID_ACTIVE_INVALID,
  vmidOf,
  type KvmCpu,
  type VmidNote,
} from './index.ts';

const PAGE = 0x1000;
const TABLE = 0x1000_0000;

/** A CPU that notes what it is told. */
function recorder(log: string[]): KvmCpu {
  const note =
    (what: string) =>
    (cpu: number, ...values: number[]): void => {
      log.push([what, cpu, ...values.map((value) => value.toString(16))].join(' '));
    };
  return {
    writeVttbr: note('VTTBR'),
    writeHostVttbr: note('VTTBR host'),
    enterGuest: note('guest'),
    enterHyp: note('EL2'),
    enterHost: note('host'),
    tlbiIpas2e1is: note('IPAS2E1IS'),
    tlbiIpas2e1: note('IPAS2E1'),
    tlbiVmalle1is: note('VMALLE1IS'),
    tlbiVmalle1: note('VMALLE1'),
    tlbiVmalls12e1is: note('VMALLS12E1IS'),
    tlbiAlle1is: note('ALLE1IS'),
    tlbiAlle1: note('ALLE1'),
    dsbNsh: note('DSB NSH'),
    dsbIsh: note('DSB ISH'),
  };
}

/** Runs a task to its end, alone. */
function finish<T>(task: Task<T>): T {
  for (let sent: unknown = undefined; ;) {
    const { done, value } = (task as Generator<Step, T, unknown>).next(sent);
    if (done === true) return value;
    sent = value.run() ?? NOTHING;
  }
}

/** KVM on two CPUs with three VMIDs and machines A, B, … */
function kvm(vms: number, { vhe = false, vmids = 3 } = {}) {
  const machine = new Machine();
  const log: string[] = [];
  const notes: VmidNote[] = [];
  const layout = { cpus: 2, vmids, taken: 0 };
  const vheHyp = new KvmHypVhe(machine, recorder(log), layout);
  const hyp = vhe ? vheHyp : new KvmHyp(machine, recorder(log), layout);
  const observer = { noted: (note: VmidNote) => void notes.push(note), reserved: () => undefined };
  const vmid = new KvmVmid(machine, hyp, layout, observer);
  const runner = vhe ? new KvmVcpusVhe(machine, vheHyp, vmid) : new KvmVcpus(machine, hyp, vmid);
  const memory = new PhysicalMemory(machine.store, [{ base: TABLE, frames: vms }]);
  const freed: string[] = [];
  const owner = {
    unmapping: () => undefined,
    freed: (machineOf: Kvm, ipa: number) => void freed.push(`${machineOf.name} ${ipa.toString(16)}`),
    mapping: () => 0x2000_0000,
  };
  const mmu = new KvmMmu(machine, memory, hyp, owner, [PAGE]);
  const kvms = Array.from({ length: vms }, (_, at) => new Kvm(machine, 'ABCDE'.charAt(at), TABLE + at * PAGE, 2));
  const vcpus = kvms.map((each) => new KvmVcpu(machine, each, 0));
  const second = new KvmVcpu(machine, kvms[0] as Kvm, 1);
  const runs = (cpu: number, vcpu: KvmVcpu): void => {
    finish(runner.vcpu_load(cpu, vcpu));
    finish(runner.vcpu_run(cpu, vcpu));
  };
  const run = (cpu: number, at: number): void => runs(cpu, vcpus[at] as KvmVcpu);
  const leave = (cpu: number, at: number): void => {
    runner.interrupt(cpu);
    runner.vcpu_put(cpu, vcpus[at] as KvmVcpu).run();
  };
  const ids = (): string[] => kvms.map(({ id }) => showVmid(id.value));
  return { log, notes, vmid, mmu, kvms, memory, run, runs, second, leave, ids, freed, machine, runner, hyp };
}

const at = (all: readonly Kvm[], index: number): Kvm => all[index] as Kvm;

test('a guest is entered under the VMID of its machine, and the host has its own back afterwards', () => {
  const { log, run, leave } = kvm(1);
  run(0, 0);
  expect(log.slice(-2)).toEqual(['VTTBR 0 10000000 1', 'guest 0']);
  leave(0, 0);
  expect(log.slice(-3)).toEqual(['EL2 0', 'VTTBR host 0', 'host 0']);
});

test('a machine that runs keeps its VMID over roll-overs, and one that does not run need not', () => {
  const { run, leave, ids, notes } = kvm(5);
  run(0, 0);
  for (const other of [1, 2, 3, 4]) {
    run(1, other);
    leave(1, other);
  }
  expect(notes).toContain('running VMID reserved');
  expect(ids()).toEqual(['1/g1', '2/g1', '3/g1', '2/g2', '3/g2']);
  leave(0, 0);
  run(1, 0);
  expect(ids()[0]).toBe('1/g2');
});

test('a CPU that runs nothing has nothing reserved', () => {
  const { run, leave, ids, notes } = kvm(4);
  run(0, 0);
  leave(0, 0);
  for (const other of [1, 2, 3]) {
    run(1, other);
    leave(1, other);
  }
  expect(notes).toContain('roll-over met an idle CPU');
  expect(ids()[3]).toBe('1/g2');
});

test('a pinned VMID stays that of its machine, and there is a limit to them', () => {
  const { vmid, kvms, run, leave, ids, notes } = kvm(5, { vmids: 4 });
  expect(finish(vmid.kvm_arm_pinned_vmid_get(0, at(kvms, 0)))).toBe(1);
  expect(finish(vmid.kvm_arm_pinned_vmid_get(0, at(kvms, 0)))).toBe(1);
  expect(finish(vmid.kvm_arm_pinned_vmid_get(0, at(kvms, 1)))).toBe(0);
  expect(notes).toEqual(['no VMID left to pin']);
  for (const other of [1, 2, 3, 4]) {
    run(1, other);
    leave(1, other);
  }
  expect(ids()).toEqual(['1/g1', '2/g1', '3/g1', '4/g1', '2/g2']);
  run(1, 0);
  expect(ids()[0]).toBe('1/g2');
  finish(vmid.kvm_arm_pinned_vmid_put(at(kvms, 0)));
  expect(at(kvms, 0).pinned.value).toBe(1);
});

test('a page is invalidated at stage 2, then at stage 1, and is free after that', () => {
  const { log, mmu, kvms, run, leave, freed } = kvm(1);
  run(0, 0);
  leave(0, 0);
  mmu.setPte(at(kvms, 0), PAGE, 0x2000_0000);
  log.length = 0;
  expect(finish(mmu.kvm_unmap_gfn(1, at(kvms, 0), PAGE))).toBe(true);
  const flush = ['IPAS2E1IS 1 1000', 'DSB ISH 1', 'VMALLE1IS 1', 'DSB ISH 1'];
  expect(log).toEqual(['EL2 1', 'VTTBR 1 10000000 1', ...flush, 'VTTBR host 1', 'host 1']);
  expect(freed).toEqual(['A 1000']);
  expect(finish(mmu.kvm_unmap_gfn(1, at(kvms, 0), PAGE))).toBe(false);
});

test('at EL2, the host leaves VTTBR_EL2 to the vCPU that is loaded', () => {
  const { log, mmu, kvms, run, machine } = kvm(2, { vhe: true });
  run(0, 0);
  mmu.setPte(at(kvms, 1), PAGE, 0x2000_0000);
  log.length = 0;
  finish(mmu.kvm_unmap_gfn(0, at(kvms, 1), PAGE));
  expect(log.filter((line) => line.startsWith('VTTBR'))).toEqual(['VTTBR 0 10001000 0', 'VTTBR 0 10000000 1']);
  expect(machine.failure).toBeUndefined();
});

test('VMID 0 of the first generation stands for a CPU that runs nothing', () => {
  const { kvms } = kvm(1);
  expect(vmidOf(at(kvms, 0).id.value)).toBe(0);
  expect(showVmid(VMID_ACTIVE_INVALID)).toBe('invalid');
});

test.each([false, true])('what another vCPU of the machine has left on the CPU is flushed, with vhe=%s', (vhe) => {
  const { log, run, runs, second, leave, runner } = kvm(1, { vhe });
  const flushes = (): number => log.filter((line) => line.startsWith('VMALLE1 ')).length;
  run(0, 0);
  expect(flushes()).toBe(1);
  leave(0, 0);
  run(0, 0);
  expect(flushes()).toBe(1);
  leave(0, 0);
  runs(0, second);
  expect(flushes()).toBe(2);
  runner.interrupt(0);
  runner.vcpu_put(0, second).run();
  run(0, 0);
  expect(flushes()).toBe(3);
});

test.each([false, true])(
  'a vCPU is in its guest until an interrupt, and loaded until it is put, with vhe=%s',
  (vhe) => {
    const { log, run, leave, runner } = kvm(1, { vhe });
    expect(runner.isInGuest(0)).toBe(false);
    run(0, 0);
    expect([runner.isInGuest(0), runner.isInGuest(1)]).toEqual([true, false]);
    expect(log.at(-1)).toBe('guest 0');
    log.length = 0;
    runner.interrupt(1);
    expect(log).toEqual([]);
    leave(0, 0);
    expect(runner.isInGuest(0)).toBe(false);
    expect(log[0]).toBe('EL2 0');
  },
);

test('at EL2, nothing is put back once no vCPU is loaded', () => {
  const { log, mmu, kvms, run, leave } = kvm(2, { vhe: true });
  run(0, 0);
  leave(0, 0);
  mmu.setPte(at(kvms, 1), PAGE, 0x2000_0000);
  log.length = 0;
  finish(mmu.kvm_unmap_gfn(0, at(kvms, 1), PAGE));
  expect(log.filter((line) => line.startsWith('VTTBR'))).toEqual(['VTTBR 0 10001000 0']);
});

test('a fault maps a page where there is none, and a machine that goes gives its pages back', () => {
  const { mmu, kvms, memory, freed, log } = kvm(1);
  const entry = (): number => memory.low(TABLE + 8);
  expect(finish(mmu.user_mem_abort(at(kvms, 0), PAGE))).toBe(true);
  expect((entry() & ~0xfff) >>> 0).toBe(0x2000_0000);
  expect(finish(mmu.user_mem_abort(at(kvms, 0), PAGE))).toBe(false);
  finish(mmu.kvm_free_stage2_pgd(at(kvms, 0)));
  expect([entry(), freed, log]).toEqual([0, ['A 1000'], []]);
  finish(mmu.kvm_free_stage2_pgd(at(kvms, 0)));
  expect(freed).toEqual(['A 1000']);
  expect(finish(mmu.kvm_unmap_gfn(0, at(kvms, 0), PAGE))).toBe(false);
});

test('the last pin that goes makes room for another', () => {
  const { vmid, kvms } = kvm(2, { vmids: 4 });
  finish(vmid.kvm_arm_pinned_vmid_get(0, at(kvms, 0)));
  finish(vmid.kvm_arm_pinned_vmid_get(0, at(kvms, 0)));
  finish(vmid.kvm_arm_pinned_vmid_put(at(kvms, 0)));
  expect(vmid.pinnedVmids).toEqual({ count: 1, bits: 1 << 1 });
  finish(vmid.kvm_arm_pinned_vmid_put(at(kvms, 0)));
  expect(vmid.pinnedVmids).toEqual({ count: 0, bits: 0 });
  expect(finish(vmid.kvm_arm_pinned_vmid_get(0, at(kvms, 1)))).toBe(2);
});

test('everything of a machine is invalidated under its VMID', () => {
  const { log, kvms, run, leave, hyp } = kvm(1);
  run(0, 0);
  leave(0, 0);
  log.length = 0;
  finish(hyp.kvm_tlb_flush_vmid(1, at(kvms, 0)));
  expect(log).toEqual(['EL2 1', 'VTTBR 1 10000000 1', 'VMALLS12E1IS 1', 'DSB ISH 1', 'VTTBR host 1', 'host 1']);
});

test('an update that finds its VMID of the current generation says that it is not new', () => {
  const { vmid, kvms } = kvm(1);
  expect(finish(vmid.kvm_arm_vmid_update(0, at(kvms, 0)))).toBe(true);
  expect(finish(vmid.kvm_arm_vmid_update(0, at(kvms, 0)))).toBe(false);
  expect(finish(vmid.kvm_arm_vmid_update(1, at(kvms, 0)))).toBe(false);
});
