import { describe, expect, test } from 'vitest';
import { findQemuArm } from '../../impl/qemu/index.ts';
import { asidEndToEnd } from '../asid/end-to-end.ts';
import { asid } from '../asid/index.ts';
import { everyTraceOn, type EveryTrace } from './every-trace.ts';
import { startHardware } from './index.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);

async function everyTrace(id: string, hazard: string | undefined, tracesMax: number): Promise<EveryTrace> {
  const litmus = asid.litmus.find((candidate) => candidate.id === id);
  if (litmus === undefined) throw new Error(`no litmus ${id}`);
  const { configuration, program } = litmus;
  const hardware = await startHardware('qemu-smmuv3', asidEndToEnd, configuration);
  try {
    return await everyTraceOn(asidEndToEnd, { configuration, program, hazard }, hardware, tracesMax);
  } finally {
    await hardware.stop();
  }
}

live('every trace on QEMU', () => {
  test('correct software: each of them holds, and there are more than one', async () => {
    const result = await everyTrace('lazy-reuse', undefined, 100);
    expect(result).toMatchObject({ verdict: 'holds', run: result.traces });
    expect(result.traces).toBeGreaterThan(1);
  });

  test('a hazard: the first that shows it ends it', async () => {
    const { verdict, shown, schedule } = await everyTrace('lazy-reuse', 'fq-iova-reuse', 100);
    expect(verdict).toBe('violation');
    expect(shown?.violation?.failure.rule).toBe('stale-translation');
    expect(schedule?.length).toBeGreaterThan(0);
  });

  test('a bound is reported', async () => {
    expect(await everyTrace('lazy-reuse', undefined, 1)).toMatchObject({ verdict: 'bound', run: 1, traces: 1 });
  });

  test('what the device lacks is said', async () => {
    const result = await everyTrace('unmap-during-bind', undefined, 1);
    expect(result).toMatchObject({ verdict: 'not-possible', reason: expect.stringMatching(/SubstreamIDs/) as string });
  });
});
