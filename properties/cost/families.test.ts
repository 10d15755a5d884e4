import { describe, expect, test } from 'vitest';
import { families } from '../index.ts';
import { measure } from './measure.ts';
import { isAsExpected, type CostReport } from './report.ts';
import type { CostScenario } from './scenario.ts';

const scenarios = families.flatMap(({ name, cost }) => (cost === undefined ? [] : [{ name, cost }]));

async function report(cost: CostScenario, runs: number): Promise<CostReport> {
  const found: string[] = [];
  const onFound = ({ failure }: { failure: { message: string } }): void => void found.push(failure.message);
  const measured = await measure(cost, { seed: 1, runs, onFound });
  expect(found).toEqual([]);
  return measured as CostReport;
}

test('families have designs', () => {
  expect(scenarios.map(({ name }) => name).sort()).toEqual(['asid', 'btm', 'sva']);
});

describe.each(scenarios)('$name', ({ cost }) => {
  test('has designs that hold and designs that do not, and exhausts what it says', async () => {
    const { designs } = await report(cost, 60);
    expect(designs.filter((design) => !isAsExpected(design)).map(({ design }) => design)).toEqual([]);
    expect(designs.some(({ mistaken }) => mistaken)).toBe(true);
    expect(designs.flatMap(({ exhausted }) => exhausted).filter(({ verdict }) => verdict === 'not exhausted')).toEqual(
      [],
    );
    for (const { units } of designs)
      expect(units.map(({ title }) => title)).toEqual(cost.units?.map(({ title }) => title));
  });

  test('invalidates something under each design', async () => {
    const { designs } = await report({ ...cost, litmus: [], units: [] }, 60);
    for (const { commands } of designs) expect(commands.tlbi).toBeGreaterThan(0);
  });

  test('counts the same again', async () => {
    const some = { ...cost, litmus: [] };
    expect(await report(some, 24)).toEqual(await report(some, 24));
  });
});
