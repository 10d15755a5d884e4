/** Two devices side by side: what only one of them does is found, whichever of the two it is. */
import { describe, expect, test } from 'vitest';
import { COMMAND_TLBI, encode, OPCODE } from '../../model/architecture/arm/layout/index.ts';
import { ArchitectureDevice } from './architecture-device.ts';
import type { DeviceSource } from './bench.ts';
import type { Permitted } from './deviation.ts';
import { fuzzDevice } from './fuzz.ts';
import { fuzzConformance } from './index.ts';

class Sticky extends ArchitectureDevice {
  protected override choose(permitted: readonly Permitted[], _part: 'read' | 'write'): Permitted {
    return permitted[0] as Permitted;
  }
}

const opcodeOf = (command: readonly number[]): number => (command[0] as number) & 0xff;

/** Hears no CMD_TLBI_NH_ASID. */
class Deaf extends Sticky {
  protected override hear(command: readonly number[]): readonly number[] {
    return opcodeOf(command) === OPCODE.TLBI_NH_ASID
      ? encode(COMMAND_TLBI, { Opcode: OPCODE.PREFETCH_CONFIG })
      : command;
  }
}

/** Hears none either, and records no faults. */
class DeafAndSilent extends Deaf {
  protected override choose(permitted: readonly Permitted[], part: 'read' | 'write'): Permitted {
    const chosen = super.choose(permitted, part);
    return chosen.kind === 'fault' ? { kind: 'abort' } : chosen;
  }
}

const source = (Device: new (seed: number) => ArchitectureDevice): DeviceSource => ({
  target: 'architecture',
  start: () => Promise.resolve(new Device(1)),
});

const options = { target: 'architecture', runs: 150, seed: 5 } as const;

describe('two devices', () => {
  test('that make no mistake, or the same one, differ in nothing', async () => {
    expect((await fuzzDevice(source(Sticky), options, source(ArchitectureDevice))).findings).toEqual([]);
    expect((await fuzzDevice(source(Deaf), options, source(Deaf))).findings).toEqual([]);
  });

  test('of which one makes a mistake: the finding says which', async () => {
    const forward = await fuzzDevice(source(Deaf), options, source(Sticky));
    expect(forward.findings.map(({ fingerprint, side }) => [fingerprint, side])).toEqual([
      ['tlbi-by-asid · only the first', 'first'],
    ]);
    expect(forward.findings[0]).toMatchObject({ minimal: true, rule: { id: 'tlbi-by-asid' } });
    const backward = await fuzzDevice(source(Sticky), options, source(Deaf));
    expect(backward.findings.map(({ fingerprint }) => fingerprint)).toEqual(['tlbi-by-asid · only the second']);
    expect(backward.findings[0]?.deviation).not.toHaveProperty('side');
  });

  test('what both do is left out', async () => {
    const { findings } = await fuzzDevice(source(Deaf), { ...options, runs: 60 }, source(DeafAndSilent));
    expect(findings.length).toBeGreaterThan(0);
    for (const { fingerprint, side } of findings) {
      expect(side).toBe('second');
      expect(fingerprint).not.toMatch(/^tlbi-by-asid/);
    }
  });

  test('through the targets by name', async () => {
    const summary = await fuzzConformance({ ...options, runs: 20 }, 'architecture');
    expect(summary).toMatchObject({ version: 'architecture model against architecture model', findings: [] });
  });
});
