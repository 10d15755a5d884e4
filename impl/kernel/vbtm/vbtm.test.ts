import { beforeEach, describe, expect, test } from 'vitest';
import { runToCompletion } from '../../../engine/complete.ts';
import { Machine } from '../../../engine/machine.ts';
import type { Task } from '../../../engine/step.ts';
import type { ContractEvent } from '../../../model/contract/events.ts';
import { PhysicalMemory } from '../../platform/index.ts';
import { Kvm, KvmHyp, KvmMmu, KvmVmid, type KvmCpu } from '../kvm/index.ts';
import { LoggingPort } from '../nested/testing.ts';
import { OTHER_PLACE, PARENT_PLACE, PRIVATE_PLACE, SECOND_PLACE, vbtmConfig, vbtmKernelConfig } from './config.ts';
import type { Design } from './config.ts';
import { VbtmKernel } from './kernel.ts';
import { VirtualMachines } from './machines.ts';
import { VbtmHostOperations } from './operations.ts';
import { DeviceProbe } from './probe.ts';

const TABLES = 0x1000_0000;
const VMIDS = 5;
const PAGES = [0x1000, 0x2000, 0x8000];

/** A CPU that does what it is told and shows nothing. */
const CPU: KvmCpu = {
  writeVttbr: () => undefined,
  writeHostVttbr: () => undefined,
  enterGuest: () => undefined,
  enterHyp: () => undefined,
  enterHost: () => undefined,
  tlbiIpas2e1is: () => undefined,
  tlbiIpas2e1: () => undefined,
  tlbiVmalle1is: () => undefined,
  tlbiVmalle1: () => undefined,
  tlbiVmalls12e1is: () => undefined,
  tlbiAlle1is: () => undefined,
  tlbiAlle1: () => undefined,
  dsbNsh: () => undefined,
  dsbIsh: () => undefined,
};

/** A hypervisor with two virtual machines, over ports that do nothing. */
class Lab {
  readonly machine = new Machine();
  readonly log: string[] = [];
  readonly events: ContractEvent[] = [];
  readonly machines: VirtualMachines;
  readonly kernel: VbtmKernel;
  readonly host: VbtmHostOperations;

  constructor(design: Design) {
    const { machine, log } = this;
    const nesting = vbtmConfig(design, VMIDS, true);
    const config = vbtmKernelConfig(design, PAGES);
    const regions = [config.memory, nesting.guestMemory, { base: TABLES, frames: 2 }];
    const memory = new PhysicalMemory(machine.store, regions);
    const kvms = ['A', 'B'].map((name, at) => new Kvm(machine, name, TABLES + 4096 * at, 1));
    const hyp = new KvmHyp(machine, CPU, { cpus: 1 });
    const observer = { noted: () => undefined, reserved: () => undefined };
    const vmid = new KvmVmid(machine, hyp, { cpus: 1, vmids: VMIDS, taken: 1 }, observer);
    const owner = { unmapping: () => undefined, freed: () => undefined, mapping: () => 0 };
    const mmu = new KvmMmu(machine, memory, hyp, owner, [0x1000]);
    this.machines = new VirtualMachines(machine, { kvms, vmid, mmu, cpuNow: () => 0 });
    for (const at of [0, 1]) this.machines.create(at);
    const guestCpu = {
      tlbi: ({ kind }: { kind: string }, shareable: boolean): void =>
        void log.push(`${kind}${shareable ? ' shareable' : ''}`),
      dsb: (shareable: boolean): void => void log.push(`DSB${shareable ? ' shareable' : ''}`),
    };
    const sink = { emit: (event: ContractEvent): void => void this.events.push(event) };
    const base = { machine, memory, port: new LoggingPort(memory, log), sink, pciAts: () => undefined };
    this.kernel = new VbtmKernel({ ...base, kvm: this.machines, guestCpu }, config, nesting);
    this.host = new VbtmHostOperations(this.kernel);
    log.length = 0;
  }

  run(task: Task<boolean> | Task<number> | Task): unknown {
    let result: unknown;
    runToCompletion(
      (function* (): Task {
        result = yield* task;
      })(),
    );
    return result;
  }

  vmid(place: number): number {
    return this.kernel.paging.at(this.kernel.places[place]?.value ?? 0).vmid.value;
  }
}

let lab: Lab;

describe('VMIDs of stage 2', () => {
  test.each([
    ['off', 1, 2, 3],
    ['private', 1, 2, 3],
    ['disjoint', 6, 7, 8],
    ['pinned', 2, 3, 6],
  ] as const)('in design %s', (design, parent, other, own) => {
    lab = new Lab(design);
    for (const place of [PARENT_PLACE, OTHER_PLACE, PRIVATE_PLACE])
      expect(lab.run(lab.host.domainAlloc(place))).toBe(true);
    expect([PARENT_PLACE, OTHER_PLACE, PRIVATE_PLACE].map((place) => lab.vmid(place))).toEqual([parent, other, own]);
    expect(lab.machines.kvm(0).pinned.value).toBe(design === 'pinned' ? 1 : 0);
  });

  test('a machine has one stage 2 under its own VMID', () => {
    lab = new Lab('pinned');
    expect(lab.run(lab.host.domainAlloc(PARENT_PLACE))).toBe(true);
    expect(lab.run(lab.host.domainAlloc(SECOND_PLACE))).toBe(false);
    expect(lab.machines.users[0]?.value).toBe(2);
  });

  test('an SMMU without stage 1, or with fewer VMIDs than KVM, takes no part in broadcasts', () => {
    expect(new DeviceProbe().design('pinned', true, true)).toBe('pinned');
    expect(new DeviceProbe().design('pinned', false, true)).toBe('off');
    expect(new DeviceProbe().design('pinned', true, false)).toBe('off');
  });
});

describe('the life of a virtual machine', () => {
  beforeEach(() => {
    lab = new Lab('pinned');
    lab.run(lab.host.domainAlloc(PARENT_PLACE));
    lab.run(lab.host.domainAlloc(OTHER_PLACE));
  });

  test('goes on while a domain has its VMID', () => {
    lab.machines.close(1);
    lab.run(lab.machines.kvm_put_kvm(1));
    expect(lab.machines.isGone(1)).toBe(false);
    expect(lab.run(lab.host.domainFree(OTHER_PLACE))).toBe(true);
    expect(lab.machines.isGone(1)).toBe(true);
    expect(lab.machines.kvm(1).pinned.value).toBe(0);
    expect(lab.machine.failure).toBeUndefined();
  });

  test('ends for new domains when its context is told', () => {
    lab.run(lab.host.domainFree(OTHER_PLACE));
    lab.run(lab.kernel.iommufd.release(1));
    expect(lab.run(lab.host.domainAlloc(OTHER_PLACE))).toBe(false);
    expect(lab.machines.users[1]?.value).toBe(1);
  });

  test('use of a machine that is freed is noticed', () => {
    lab.run(lab.host.domainFree(OTHER_PLACE));
    lab.run(lab.machines.kvm_put_kvm(1));
    lab.run(lab.machines.kvm_arm_pinned_vmid_get(1));
    expect(lab.machine.failure).toMatchObject({ monitor: 'safety', rule: 'use-after-free', data: { object: 'B' } });
  });
});

describe('a guest invalidates', () => {
  const page = { iova: 0x8000, size: 0x1000, granule: 0x1000, leaf: true };
  const table = { iova: 0, size: 0x20_0000, granule: 0x1000, leaf: false };

  test.each([
    ['a page', page, ['VALE1 shareable', 'DSB shareable']],
    [
      'two pages with tables',
      { ...page, size: 0x2000, leaf: false },
      ['VAE1 shareable', 'VAE1 shareable', 'DSB shareable'],
    ],
    ['a table', table, ['ASIDE1 shareable', 'DSB shareable']],
  ])('%s by TLBI, where its VMID is KVM’s', (_what, range, log) => {
    lab = new Lab('pinned');
    lab.run(lab.kernel.guest.invalidateRange(lab.kernel.guest.space(0), range));
    expect(lab.log).toEqual(log);
    const leftOut = lab.events.filter(({ type }) => type === 'tlbi.left-out');
    expect(leftOut).toHaveLength(log.length - 1);
  });

  test('by command elsewhere', () => {
    lab = new Lab('disjoint');
    lab.run(lab.host.domainAlloc(PARENT_PLACE));
    lab.log.length = 0;
    lab.run(lab.kernel.guest.invalidateRange(lab.kernel.guest.space(0), page));
    expect(lab.log).toEqual(['TLBI_NH_VA 6.1 0x8000 leaf', 'SYNC', 'complete']);
  });
});
