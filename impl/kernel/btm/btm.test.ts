import { beforeEach, describe, expect, test } from 'vitest';
import { runToCompletion } from '../../../engine/complete.ts';
import { Machine } from '../../../engine/machine.ts';
import type { Task } from '../../../engine/step.ts';
import { CD, CR2, decode, encode, EATS, IDR0, REGISTER, STE } from '../../../model/architecture/arm/layout/index.ts';
import { PhysicalMemory } from '../../platform/index.ts';
import { showTlbi, type Arm64Cpu } from '../arm64/index.ts';
import { SMALL_CONFIG } from '../config.ts';
import { RecordingPort } from '../test-support.ts';
import type { BtmConfig } from './config.ts';
import { BtmKernel } from './kernel.ts';
import { BtmOperations } from './operations.ts';

const CONFIG: BtmConfig = {
  ...SMALL_CONFIG,
  domains: 1,
  processes: [0, 0],
  iovas: [],
  btm: true,
  cpus: 2,
  cpuAsids: 4,
  taken: 0,
  cnp: false,
  kpti: false,
  ats: false,
  cpuAsid16: true,
};
const PAGE = 0x1000;
const PA = 0x4800_0000;

type Identification = Partial<Record<'S1P' | 'BTM' | 'ASID16', number>>;

/** An SMMU that says what it has, and CPUs that write down what they are told, all in one list. */
class Port extends RecordingPort {
  readonly registers = new Map<number, number>();

  constructor(memory: PhysicalMemory, idr0: Identification) {
    super(memory);
    const [value = 0] = encode(IDR0, idr0);
    this.registers.set(REGISTER.IDR0, value);
  }

  override writeRegister(offset: number, low: number, high?: number): void {
    this.registers.set(offset, low);
    super.writeRegister(offset, low, high);
  }

  override readRegister(offset: number): number {
    return offset === REGISTER.IDR0 ? (this.registers.get(offset) ?? 0) : super.readRegister(offset);
  }
}

class Lab {
  readonly machine = new Machine();
  readonly port: Port;
  readonly kernel: BtmKernel;
  readonly operations: BtmOperations;

  constructor(config: Partial<BtmConfig> = {}, smmu: Identification = {}) {
    const full = { ...CONFIG, ...config };
    const memory = new PhysicalMemory(this.machine.store, [full.memory]);
    this.port = new Port(memory, { S1P: 1, BTM: 1, ASID16: 1, ...smmu });
    const { log } = this.port;
    const cpu: Arm64Cpu = {
      writeTtbr0: (on, _pgd, asid, user) => void log.push(`CPU${on}: TTBR0 ${asid}${user === asid ? '' : `/${user}`}`),
      writeAsid: () => undefined,
      clearTtbr0: (on) => void log.push(`CPU${on}: TTBR0 reserved`),
      tlbi: (_on, instruction, broadcast) => void log.push(`TLBI ${showTlbi(instruction, broadcast)}`),
      dsbNsh: () => undefined,
      dsbIsh: () => void log.push('DSB ISH'),
    };
    const observer = { noted: () => undefined, scheduling: () => undefined, stopped: () => undefined };
    const sink = { emit: () => undefined };
    const pciAts = (stream: number, on: boolean): void => void log.push(`ATS of ${stream} ${on ? 'on' : 'off'}`);
    const base = { machine: this.machine, memory, port: this.port, sink, cpu, observer, pciAts };
    this.kernel = new BtmKernel(base, full);
    this.operations = new BtmOperations(this.kernel);
    this.run(this.operations.domainAlloc(0));
    this.run(this.operations.attach(0, 0));
    for (const page of [PAGE, 2 * PAGE]) this.run(this.operations.mmMap(0, page, PA));
  }

  /** What is done alone, and what the hardware was told. */
  run(task: Task<boolean>): string[] {
    this.port.log.length = 0;
    let done = false;
    const all = function* (): Task {
      done = yield* task;
    };
    runToCompletion(all());
    return [`${done}`, ...this.port.log.filter((line) => line !== 'complete')];
  }

  cd(substream: number) {
    const { cdTable = 0 } = this.kernel.masters[0] ?? {};
    return decode(CD, this.kernel.memory.readWords(cdTable + 64 * substream, 8));
  }

  get ptm(): number {
    return decode(CR2, [this.port.registers.get(REGISTER.CR2) ?? 0]).PTM;
  }
}

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});

describe('boot', () => {
  test.each([
    [{}, {}, 0],
    [{ btm: false }, {}, 1],
    [{}, { BTM: 0 }, 1],
    [{}, { S1P: 0 }, 1],
  ] as const)('of a kernel %j over an SMMU %j', (config: Partial<BtmConfig>, smmu: Identification, ptm) => {
    const { ptm: found, kernel } = new Lab(config, smmu);
    expect(found).toBe(ptm);
    expect(kernel.driver.features.btm).toBe(ptm === 0);
  });

  test('no process is shared with an SMMU whose ASIDs are smaller', () => {
    expect(new Lab({}, { ASID16: 0 }).kernel.driver.features.sva).toBe(false);
    const same = new Lab({ cpuAsid16: false }, { ASID16: 0 });
    expect(same.run(same.operations.bind(0, 0))[0]).toBe('true');
  });
});

describe('bind', () => {
  test('gives the device the pinned ASID, which listens, and moves the private domain, which does not', () => {
    lab.run(lab.operations.bind(0, 0));
    expect(lab.cd(1)).toMatchObject({ V: 1, ASID: 1, ASET: 0 });
    expect(lab.cd(0)).toMatchObject({ V: 1, ASID: 2, ASET: 1 });
    expect(lab.kernel.contextOf(lab.kernel.mms.at(1)).pinned.value).toBe(1);
  });

  test('with KPTI it is that of the user’s half', () => {
    lab = new Lab({ kpti: true });
    lab.run(lab.operations.bind(0, 0));
    expect(lab.cd(1)).toMatchObject({ ASID: 3, ASET: 0 });
    expect(lab.run(lab.operations.switchTo(1, 0))).toContain('CPU1: TTBR0 2/3');
  });

  test('a second device shares the descriptor of the first, which stays until both have gone', () => {
    const [mm, { refs, asid }] = [lab.kernel.mms.at(1), lab.kernel.sharedCds.at(1)];
    expect(lab.run(lab.operations.attach(0, 1))[0]).toBe('true');
    expect(lab.run(lab.operations.bind(0, 0))[0]).toBe('true');
    expect(lab.run(lab.operations.bind(0, 1))[0]).toBe('true');
    expect([mm.cd.value, asid.value, refs.value, lab.kernel.contextOf(mm).pinned.value]).toEqual([1, 1, 2, 1]);
    lab.run(lab.operations.unbind(0, 0));
    expect([refs.value, lab.kernel.contextOf(mm).pinned.value]).toEqual([1, 1]);
    expect(lab.run(lab.operations.unbind(0, 1))).toContain('TLBI_NH_ASID 1');
    expect(lab.kernel.contextOf(mm).pinned.value).toBe(0);
  });

  test('leaves nothing behind when no ASID is left to pin', () => {
    lab.run(lab.operations.bind(0, 0));
    expect(lab.run(lab.operations.bind(1, 0))).toEqual(['false']);
    expect(lab.kernel.mms.at(2).mm_count.value).toBe(1);
  });
});

describe('munmap of a bound process', () => {
  const munmap = (of: Lab, page = PAGE): string[] => {
    of.run(of.operations.bind(0, 0));
    return of.run(of.operations.munmap(0, page));
  };

  test('broadcasts, and sends no command', () => {
    expect(munmap(lab)).toEqual(['true', 'TLBI VALE1IS 0x1000, ASID 1', 'DSB ISH']);
  });

  test('broadcasts for tables where one goes', () => {
    munmap(lab);
    expect(lab.run(lab.operations.munmap(0, 2 * PAGE))).toContain('TLBI VAE1IS 0x2000, ASID 1');
  });

  test('sends a command after that where the SMMU hears nothing', () => {
    const log = munmap(new Lab({ btm: false }));
    expect(log.slice(1, 3)).toEqual(['TLBI VALE1IS 0x1000, ASID 1', 'DSB ISH']);
    expect(log.slice(3)).toEqual([expect.stringContaining('TLBI_NH_VA 1 0x1000'), 'SYNC']);
  });

  test('names both halves with KPTI', () => {
    expect(munmap(new Lab({ kpti: true }))).toEqual([
      'true',
      'TLBI VALE1IS 0x1000, ASID 2',
      'TLBI VALE1IS 0x1000, ASID 3',
      'DSB ISH',
    ]);
  });

  test('never leaves the caches of devices out', () => {
    expect(munmap(new Lab({ ats: true }))).toEqual([
      'true',
      'TLBI VALE1IS 0x1000, ASID 1',
      'DSB ISH',
      'ATC_INV',
      'SYNC',
    ]);
  });
});

test('ATS is on while a device is attached, and permitted then', () => {
  lab = new Lab({ ats: true });
  const ste = (): number => decode(STE, lab.kernel.memory.readWords(lab.kernel.masters[0]?.ste ?? 0, 8)).EATS;
  expect(ste()).toBe(EATS.FULL);
  expect(lab.run(lab.operations.detach(0))[1]).toBe('ATS of 16 off');
  expect(ste()).toBe(EATS.NONE);
  expect(lab.run(lab.operations.attach(0, 0)).slice(-3)).toEqual(['ATC_INV', 'SYNC', 'ATS of 16 on']);
});

test('the last unbind flushes by a command, then unpins', () => {
  lab.run(lab.operations.bind(0, 0));
  expect(lab.run(lab.operations.unbind(0, 0))).toContain('TLBI_NH_ASID 1');
  const mm = lab.kernel.mms.at(1);
  expect([lab.kernel.contextOf(mm).pinned.value, mm.pinned.value, mm.mm_count.value]).toEqual([0, 0, 1]);
});

describe('processes on CPUs', () => {
  test('a CPU keeps the structure of what it has loaded, after its exit too', () => {
    lab.run(lab.operations.switchTo(0, 0));
    const mm = lab.kernel.mms.at(1);
    expect(mm.mm_count.value).toBe(2);
    expect(lab.run(lab.operations.exit(0))).toEqual(['true', 'TLBI ASIDE1IS ASID 1', 'DSB ISH']);
    expect(lab.kernel.mms.isLive(1)).toBe(true);
    expect(lab.run(lab.operations.idle(0))[0]).toBe('true');
    expect(lab.kernel.mms.isLive(1)).toBe(false);
  });

  test('a CPU goes from process to process, and none is kept that it does not run', () => {
    expect(lab.run(lab.operations.switchTo(0, 0))).toEqual(['true', 'CPU0: TTBR0 1']);
    expect(lab.run(lab.operations.switchTo(0, 0))).toEqual(['false']);
    expect(lab.run(lab.operations.switchTo(0, 1))).toEqual(['true', 'CPU0: TTBR0 2']);
    expect([1, 2].map((handle) => lab.kernel.mms.at(handle).mm_count.value)).toEqual([1, 2]);
    expect(lab.run(lab.operations.idle(0))).toEqual(['true', 'CPU0: TTBR0 reserved']);
    expect(lab.kernel.mms.at(2).mm_count.value).toBe(1);
    expect(lab.run(lab.operations.idle(0))).toEqual(['false']);
    expect(lab.run(lab.operations.exit(0))).toEqual(['false']);
  });

  test('a process that has exited runs nowhere, and nothing of it is unmapped again', () => {
    lab.run(lab.operations.switchTo(0, 0));
    expect(lab.run(lab.operations.exit(0))[0]).toBe('true');
    expect(lab.run(lab.operations.switchTo(1, 0))).toEqual(['false']);
    expect(lab.run(lab.operations.munmap(0, PAGE))).toEqual(['false']);
  });

  test('a process that another CPU runs does not exit', () => {
    lab.run(lab.operations.switchTo(0, 0));
    lab.run(lab.operations.switchTo(1, 0));
    expect(lab.run(lab.operations.exit(0))).toEqual(['false']);
  });

  test('a child begins without ASID and pin; what is known already is no child', () => {
    lab.run(lab.operations.bind(0, 0));
    lab.run(lab.operations.switchTo(0, 0));
    expect(lab.run(lab.operations.fork(0, 1))[0]).toBe('true');
    const child = lab.kernel.contextOf(lab.kernel.mms.at(2));
    expect([child.id.value, child.pinned.value]).toEqual([0, 0]);
    expect(lab.run(lab.operations.fork(0, 1))[0]).toBe('false');
  });
});
