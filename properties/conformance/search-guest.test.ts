/** The search on devices made of the architecture that make one mistake about stage 2. */
import { describe, expect, test } from 'vitest';
import type { EventRecord } from '../../impl/qemu/index.ts';
import { encode, EVENT_CLASS, OPCODE, COMMAND_TLBI } from '../../model/architecture/arm/layout/index.ts';
import { ArchitectureDevice } from './architecture-device.ts';
import type { Permitted } from './deviation.ts';
import { fuzzDevice } from './index.ts';
import type { ConformanceFinding } from './index.ts';

type Command = readonly number[];
const opcodeOf = (command: Command): number => (command[0] as number) & 0xff;
const nothing = encode(COMMAND_TLBI, { Opcode: OPCODE.PREFETCH_CONFIG });

class Sticky extends ArchitectureDevice {
  protected override choose(permitted: readonly Permitted[], _part: 'read' | 'write'): Permitted {
    return permitted[0] as Permitted;
  }
}

const deafTo = (...opcodes: readonly number[]) =>
  class extends Sticky {
    protected override hear(command: Command): Command {
      return opcodes.includes(opcodeOf(command)) ? nothing : command;
    }
  };

const scribbling = (change: (record: EventRecord) => EventRecord) =>
  class extends Sticky {
    protected override record(record: EventRecord): EventRecord {
      return record.S2 === 1 ? change(record) : record;
    }
  };

/** Searches until a finding of a rule is there. */
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
      runs: 4000,
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

describe('a device with one mistake at stage 2 is found out, and the rule is named:', () => {
  const mistakes: [what: string, rule: string, Device: new (seed: number) => ArchitectureDevice][] = [
    ['invalidations by IPA have no effect', 'tlbi-by-ipa', deafTo(OPCODE.TLBI_S2_IPA)],
    ['TLBI_S12_VMALL has no effect', 'tlbi-all', deafTo(OPCODE.TLBI_S12_VMALL)],
    [
      'records give a fault of stage 2 to stage 1',
      'event-stage',
      scribbling((record) => ({ ...record, S2: 0, CLASS: EVENT_CLASS.INPUT })),
    ],
    [
      'records have another IPA',
      'event-stage',
      scribbling((record) => ({ ...record, FetchAddr: record.FetchAddr + 8192 })),
    ],
    [
      'records have the IPA with its low bits',
      'event-ipa-alignment',
      scribbling((record) => ({ ...record, FetchAddr: record.FetchAddr + 64 })),
    ],
    ['records say read for write', 'event-input-attributes', scribbling((record) => ({ ...record, RnW: 1 }))],
  ];
  for (const [what, rule, Device] of mistakes)
    test(`${what}: ${rule}`, async () => {
      const finding = await searchFor(Device, rule);
      expect(finding).toMatchObject({ minimal: true, rule: { id: rule } });
      expect((finding?.program.configuration.guests ?? []).length).toBeLessThanOrEqual(1);
    });
});
