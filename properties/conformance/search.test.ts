/** The search on devices made of the architecture itself: none is wrong until it is given a mistake. */
import { describe, expect, test } from 'vitest';
import { QemuGone } from '../../impl/qemu/index.ts';
import type { EventRecord } from '../../impl/qemu/index.ts';
import { COMMAND_TLBI, decode, encode, EVENT, OPCODE } from '../../model/architecture/arm/layout/index.ts';
import { ArchitectureDevice } from './architecture-device.ts';
import type { OverflowAnswer } from './device.ts';
import type { Permitted } from './deviation.ts';
import { fuzzConformance, fuzzDevice, replayConformance, witnessNames } from './index.ts';
import type { ConformanceFinding, ConformanceSummary } from './index.ts';

type Command = readonly number[];
const opcodeOf = (command: Command): number => (command[0] as number) & 0xff;
const nothing = encode(COMMAND_TLBI, { Opcode: OPCODE.PREFETCH_CONFIG });
const tlbi = (command: Command, change: Partial<Record<keyof typeof COMMAND_TLBI.fields, number>>): Command =>
  encode(COMMAND_TLBI, { ...decode(COMMAND_TLBI, command), ...change });

/** A device that holds on to what it has: of several permitted outcomes it takes the oldest. */
class Sticky extends ArchitectureDevice {
  protected override choose(permitted: readonly Permitted[], _part: 'read' | 'write'): Permitted {
    return permitted[0] as Permitted;
  }
}

/** A device that hears some command as another one. */
const deaf = (mishear: (command: Command) => Command | undefined) =>
  class extends Sticky {
    protected override hear(command: Command): Command {
      return mishear(command) ?? command;
    }
  };

/** A device whose accesses end otherwise than they should. */
const wayward = (change: (chosen: Permitted, part: 'read' | 'write') => Permitted) =>
  class extends Sticky {
    protected override choose(permitted: readonly Permitted[], part: 'read' | 'write'): Permitted {
      return change(super.choose(permitted, part), part);
    }
  };

/** A device that writes event records wrongly. */
const scribbling = (change: (record: EventRecord) => EventRecord) =>
  class extends Sticky {
    protected override record(record: EventRecord): EventRecord {
      return change(record);
    }
  };

const search = (
  Device: new (seed: number) => ArchitectureDevice,
  runs: number,
  seed = 1,
): Promise<ConformanceSummary> =>
  fuzzDevice(
    { target: 'architecture', start: () => Promise.resolve(new Device(1)) },
    { target: 'architecture', runs, seed },
  );

/** Searches until a finding of a rule is there; the finding, or undefined. */
const searchFor = async (
  Device: new (seed: number) => ArchitectureDevice,
  rule: string,
): Promise<ConformanceFinding | undefined> => {
  const controller = new AbortController();
  let found: ConformanceFinding | undefined;
  await fuzzDevice(
    { target: 'architecture', start: () => Promise.resolve(new Device(1)) },
    {
      target: 'architecture',
      runs: 5000,
      seed: 1,
      signal: controller.signal,
      onFinding: (finding) => {
        if (finding.rule?.id !== rule) return;
        found = finding;
        controller.abort();
      },
    },
  );
  return found;
};

const isFault = (chosen: Permitted, event: number): boolean => chosen.kind === 'fault' && chosen.event === event;

describe('the architecture itself', () => {
  test('never deviates, whatever it chooses, and the runs reach what they are for', async () => {
    const summary = await fuzzConformance({ target: 'architecture', runs: 1500, seed: 3 });
    expect(summary.findings).toEqual([]);
    const { statistics } = summary;
    expect(statistics).toMatchObject({ programs: 1500, deviating: 0, vanished: 0, restarts: 0 });
    expect(statistics.open).toBeLessThan(statistics.accesses / 100);
    for (const witness of witnessNames) expect(statistics.witnesses[witness], witness).toBeGreaterThan(10);
  });

  test('nor does it when it always holds on to what it has', async () => {
    expect((await search(Sticky, 1000, 4)).findings).toEqual([]);
  });
});

describe('a device with one mistake is found out, and the rule is named:', () => {
  const byRange = (command: Command): boolean => decode(COMMAND_TLBI, command).TG !== 0;
  const isVa = (command: Command): boolean =>
    [OPCODE.TLBI_NH_VA, OPCODE.TLBI_NH_VAA].some((op) => op === opcodeOf(command));
  const mistakes: [what: string, rule: string, Device: new (seed: number) => ArchitectureDevice][] = [
    [
      'invalidations by address have no effect',
      'tlbi-by-address',
      deaf((command) => (isVa(command) ? nothing : undefined)),
    ],
    [
      'the last step of a range is left out',
      'tlbi-by-range',
      deaf((command) =>
        isVa(command) && byRange(command) && decode(COMMAND_TLBI, command).Scale > 0
          ? tlbi(command, { Scale: 0, Num: 0, TTL: 3 })
          : undefined,
      ),
    ],
    [
      'a level hint of 3 is taken for 2',
      'tlbi-level-hint',
      deaf((command) =>
        isVa(command) && byRange(command) && decode(COMMAND_TLBI, command).TTL === 3
          ? tlbi(command, { TTL: 2 })
          : undefined,
      ),
    ],
    [
      'an invalidation by ASID takes the next ASID',
      'tlbi-by-asid',
      deaf((command) =>
        opcodeOf(command) === OPCODE.TLBI_NH_ASID
          ? tlbi(command, { ASID: decode(COMMAND_TLBI, command).ASID + 1 })
          : undefined,
      ),
    ],
    [
      'TLBI_NSNH_ALL and NH_ALL have no effect',
      'tlbi-all',
      deaf((command) =>
        [OPCODE.TLBI_NSNH_ALL, OPCODE.TLBI_NH_ALL].some((op) => op === opcodeOf(command)) ? nothing : undefined,
      ),
    ],
    [
      'CFGI_STE and CFGI_STE_RANGE have no effect',
      'cfgi-ste',
      deaf((command) =>
        [OPCODE.CFGI_STE, OPCODE.CFGI_STE_RANGE].some((op) => op === opcodeOf(command)) ? nothing : undefined,
      ),
    ],
    [
      'CFGI_CD and CFGI_CD_ALL have no effect',
      'cfgi-cd',
      deaf((command) =>
        [OPCODE.CFGI_CD, OPCODE.CFGI_CD_ALL].some((op) => op === opcodeOf(command)) ? nothing : undefined,
      ),
    ],
    [
      'F_ACCESS is reported as F_TRANSLATION',
      'access-flag',
      wayward((chosen) =>
        isFault(chosen, EVENT.F_ACCESS)
          ? { ...chosen, kind: 'fault', event: EVENT.F_TRANSLATION, recorded: true, fetchAddress: 0 }
          : chosen,
      ),
    ],
    [
      'C_BAD_CD is reported as C_BAD_STE',
      'cd-validity',
      wayward((chosen) =>
        isFault(chosen, EVENT.C_BAD_CD)
          ? { kind: 'fault', event: EVENT.C_BAD_STE, recorded: true, fetchAddress: 0 }
          : chosen,
      ),
    ],
    [
      'faults are not recorded',
      'event-recorded',
      wayward((chosen) => (chosen.kind === 'fault' ? { kind: 'abort' } : chosen)),
    ],
    [
      'writes go to the next page',
      'translation-valid',
      wayward((chosen, part) =>
        chosen.kind === 'memory' && part === 'write' ? { kind: 'memory', pa: chosen.pa + 4096 } : chosen,
      ),
    ],
    [
      'records say read for write',
      'event-fields',
      scribbling((record) => ({ ...record, RnW: record.InputAddrLow === 0 ? 0 : 1 })),
    ],
    ['fetch addresses are left out', 'event-fetch-address', scribbling((record) => ({ ...record, FetchAddr: 0 }))],
  ];
  for (const [what, rule, Device] of mistakes)
    test(`${what}: ${rule}`, async () => {
      expect(await searchFor(Device, rule)).toMatchObject({ minimal: true, rule: { id: rule } });
    });

  test('a command that must be refused is carried out: each kind of illegal command', async () => {
    class Lenient extends Sticky {
      protected override isIllegal(): boolean {
        return false;
      }
      protected override hear(command: Command): Command {
        return super.isIllegal(command) ? nothing : command;
      }
    }
    const { findings } = await search(Lenient, 2500);
    const found = new Set(findings.map(({ rule }) => rule?.id));
    for (const rule of [
      'command-illegal',
      'command-illegal-range',
      'command-illegal-el2',
      'command-illegal-ats',
      'command-illegal-stall',
    ])
      expect(found).toContain(rule);
  });

  test('the event queue overflows without a sign', async () => {
    class Quiet extends Sticky {
      override overflow(_device: number, count: number): Promise<OverflowAnswer> {
        return Promise.resolve({ records: count - 1, overflow: false, abort: true });
      }
    }
    const finding = await searchFor(Quiet, 'event-queue-overflow');
    expect(finding?.program.operations).toEqual([{ kind: 'overflow', stream: 0 }]);
  });

  test('a legal command is refused', async () => {
    class Strict extends Sticky {
      protected override isIllegal(command: Command): boolean {
        return opcodeOf(command) === OPCODE.TLBI_NH_ASID || super.isIllegal(command);
      }
    }
    const { findings } = await search(Strict, 200);
    expect(findings.map(({ fingerprint }) => fingerprint)).toEqual(['command-legal · TLBI_NH_ASID']);
    expect(findings[0]?.program.operations).toHaveLength(1);
  });
});

describe('a device that dies', () => {
  class Fragile extends Sticky {
    protected override hear(command: Command): Command {
      if (opcodeOf(command) === OPCODE.CFGI_CD_ALL)
        throw new QemuGone({ kind: 'crash', signal: 'SIGABRT', message: 'x.c:12: assertion failed at 0xbeef' });
      return command;
    }
  }

  test('is a finding, and the search goes on with a new one', async () => {
    let started = 0;
    const start = (): Promise<Fragile> => Promise.resolve(new Fragile(++started));
    const summary = await fuzzDevice({ target: 'architecture', start }, { target: 'architecture', runs: 300, seed: 1 });
    expect(summary.findings.map(({ fingerprint }) => fingerprint)).toEqual([
      'device-survives · crash x.c:#: assertion failed at #',
    ]);
    const [finding] = summary.findings;
    expect(finding?.deviation.ending).toMatchObject({ kind: 'crash', signal: 'SIGABRT' });
    expect(finding?.program.operations).toHaveLength(1);
    expect(summary.statistics.programs).toBe(300);
    expect(summary.statistics.restarts).toBe(started - 1);
  });

  test('and does not do so again is not reported', async () => {
    let calls = 0;
    class Once extends Sticky {
      protected override hear(command: Command): Command {
        if (++calls === 50) throw new QemuGone({ kind: 'crash', signal: 'SIGKILL', message: 'killed' });
        return command;
      }
    }
    const { findings, statistics } = await search(Once, 100);
    expect(findings).toEqual([]);
    expect(statistics).toMatchObject({ vanished: 1, restarts: 1 });
  });
});

describe('a search', () => {
  const Device = deaf((command) => (opcodeOf(command) === OPCODE.TLBI_NH_ASID ? nothing : undefined));

  test('hands over each finding before it goes on, minimal, and the same ones for the same seed', async () => {
    const seen: ConformanceFinding[] = [];
    let pending = false;
    const options = {
      target: 'architecture',
      runs: 150,
      seed: 5,
      onFinding: async (finding: ConformanceFinding) => {
        expect(pending).toBe(false);
        pending = true;
        await new Promise((resolve) => setTimeout(resolve, 5));
        pending = false;
        seen.push(finding);
      },
    } as const;
    const source = { target: 'architecture', start: () => Promise.resolve(new Device(1)) } as const;
    const first = await fuzzDevice(source, options);
    expect(seen).toEqual(first.findings);
    const [finding] = seen;
    expect(finding?.fingerprint).toBe('tlbi-by-asid');
    expect(finding?.program.operations.length).toBeLessThanOrEqual(11);
    expect(finding?.program.operations.length).toBeLessThan(finding?.operationsFrom ?? 0);
    expect(finding?.operationsText).toHaveLength(finding?.program.operations.length ?? 0);
    expect(JSON.parse(JSON.stringify(finding))).toEqual(finding);
    expect((await fuzzDevice(source, { ...options, onFinding: () => {} })).findings).toEqual(first.findings);
    // The device under it was wrong; the architecture is not.
    expect(await replayConformance(finding as ConformanceFinding, 'architecture')).toMatchObject({ reproduced: false });
  });

  test('stops at its signal and at its time', async () => {
    const controller = new AbortController();
    let progress = 0;
    const aborted = await fuzzConformance({
      target: 'architecture',
      seed: 1,
      seconds: 60,
      signal: controller.signal,
      onProgress: ({ statistics }) => {
        progress = statistics.programs;
        controller.abort();
      },
    });
    expect(aborted.aborted).toBe(true);
    expect(aborted.statistics.programs).toBe(progress);
    expect((await fuzzConformance({ target: 'architecture', seed: 1, seconds: 0.2 })).aborted).toBe(false);
  });
});
