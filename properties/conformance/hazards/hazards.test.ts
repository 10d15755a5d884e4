import { describe, expect, it } from 'vitest';
import { deviceHazards, huntDevice, minimiseDevice } from './index.ts';

/** Those that few programs show; `stalemate hazards --family conformance` hunts all of them, from ten seeds. */
const quick = [
  'device-block-mask',
  'device-cd-outlives-ste',
  'device-config-key',
  'device-evtq-full-early',
  'device-generation-wrap',
  'device-late-fill',
  'device-level-hint',
  'device-missed-global',
  'qemu-smmu-range-misaligned',
];
const named = (name: string) => {
  const hazard = deviceHazards.find((one) => one.name === name);
  if (hazard === undefined) throw new Error(`there is no hazard ${name}`);
  return hazard;
};

describe('mistakes of devices are found by random programs', () => {
  it.each(quick)(
    '%s',
    async (name) => {
      const { kill } = await huntDevice(named(name), { seed: 1, seconds: 60 });
      expect(kill).toMatchObject({ monitor: 'conformance', expected: true });
    },
    600_000,
  );

  it('and give up when their time is over', async () => {
    expect(await huntDevice(named('device-block-mask'), { seed: 3, seconds: 0 })).toEqual({ seed: 3 });
  });

  it('and have distinct names', () => {
    expect(new Set(deviceHazards.map(({ name }) => name)).size).toBe(deviceHazards.length);
  });
});

describe('a mistake of a device', () => {
  it('comes out as a small program, and a rule that it breaks', async () => {
    const finding = await minimiseDevice(named('device-missed-global'), { seed: 1, seconds: 60 });
    expect(finding?.rule?.id).toBe('tlbi-global-any-asid');
    expect(finding?.program.operations.length).toBeLessThan(20);
  }, 600_000);

  it('that needs more than programs does not', async () => {
    expect(await minimiseDevice(named('device-late-fill'), { seed: 1, seconds: 60 })).toBeUndefined();
  });
});
