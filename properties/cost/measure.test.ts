import { describe, expect, test } from 'vitest';
import { measure } from './measure.ts';
import { isSafe, shareLost, type CostReport, type DesignCost } from './report.ts';
import { signalScenario } from './testing/signals.ts';

async function report(designs: readonly string[], seed = 1, runs = 50): Promise<CostReport> {
  const measured = await measure(signalScenario(...designs), { seed, runs });
  expect(measured).toBeDefined();
  return measured as CostReport;
}

const at = ({ designs }: CostReport, name: string): DesignCost => {
  const found = designs.find(({ design }) => design === name);
  expect(found).toBeDefined();
  return found as DesignCost;
};

describe('measure', () => {
  test('runs the same programs and schedules under each design', async () => {
    const measured = await report(['off', 'on']);
    const [off, on] = [at(measured, 'off'), at(measured, 'on')];
    expect([off.executions, on.executions]).toEqual([50, 50]);
    expect(on.broadcast.operations).toBe(off.broadcast.operations);
    expect(on.steps).toBe(off.steps);
    expect(off.commands.tlbi).toBe(off.broadcast.operations);
    expect(on.commands.tlbi).toBe(0);
    expect(on.leftOut).toBe(on.broadcast.operations);
  });

  test('charges each loss, every time that it happens', async () => {
    const { broadcast } = at(await report(['on']), 'on');
    expect(broadcast.lost.own + broadcast.lost.unrelated).toBe(broadcast.operations);
    expect(broadcast.lost.private).toBe(broadcast.operations);
    expect(broadcast.lost.unrelated).toBeGreaterThan(0);
    expect(broadcast.held).toBe(2 * broadcast.operations);
    expect(shareLost(at(await report(['on']), 'on'))).toBe(100);
    expect(shareLost(at(await report(['off']), 'off'))).toBe(0);
  });

  test('comes to the same with the same seed and runs, and to something else with another seed', async () => {
    expect(await report(['off', 'on'])).toEqual(await report(['off', 'on']));
    expect((await report(['on'])).designs).not.toEqual((await report(['on'], 2)).designs);
  });

  test('says which design is violated, and how, in random executions and exhaustively', async () => {
    const measured = await report(['on', 'rash']);
    expect(isSafe(at(measured, 'on'))).toBe(true);
    expect(at(measured, 'on').exhausted).toEqual([{ litmus: 'two-cpus', verdict: 'holds', states: 9 }]);
    const rash = at(measured, 'rash');
    expect(isSafe(rash)).toBe(false);
    expect(Object.keys(rash.violations)).toEqual(['signals/too-many']);
    expect(rash.violations['signals/too-many']).toBeGreaterThan(0);
    expect(rash.exhausted).toMatchObject([{ verdict: 'violated', rule: 'signals/too-many' }]);
  });

  test('counts units by themselves', async () => {
    const measured = await report(['off', 'on']);
    const none = [0, 0];
    expect(at(measured, 'off').units).toEqual([
      {
        title: 'both CPUs',
        finished: 128,
        broadcasts: [4, 4],
        lost: none,
        commands: { tlbi: [4, 4], cfgi: none, atc: none, sync: none },
      },
    ]);
    expect(at(measured, 'on').units).toMatchObject([{ lost: [8, 8], commands: { tlbi: none } }]);
  });

  test('does not call a search exhausted that was cut off', async () => {
    const measured = await measure(signalScenario('on'), { seed: 1, runs: 1, statesMax: 2 });
    expect(measured?.designs[0]?.exhausted).toMatchObject([{ verdict: 'not exhausted' }]);
  });

  test('ends when it is told to', async () => {
    expect(await measure(signalScenario('on'), { seed: 1, runs: 50, stop: () => true })).toBeUndefined();
  });
});
