import { describe, expect, test } from 'vitest';
import { HarnessError, type Failure } from '../failure.ts';
import { Footprints, type Footprint } from '../footprint.ts';
import { exploreTarget } from './explore.ts';
import type { TraceTarget } from './target.ts';

/** Registers of a device, as numbers of resources. */
const DOORBELL = 0;
const STATUS = 1;
const IRQ = 2;

/** What an access to a device reads and writes. */
interface Access {
  readonly reads?: readonly number[];
  readonly writes?: readonly number[];
  readonly run: (registers: number[]) => void;
}

/** A target as somebody writes it for a device of theirs: no engine, no undo; it only says what each access touches. */
class Device implements TraceTarget {
  readonly agents: number;
  readonly footprints = new Footprints();
  resets = 0;
  failure: Failure | undefined;
  #registers = [0, 0, 0];
  #done: number[] = [];
  readonly #programs: readonly (readonly Access[])[];

  constructor(programs: readonly (readonly Access[])[]) {
    this.#programs = programs;
    this.agents = programs.length;
    this.reset();
  }

  reset(): void {
    this.resets++;
    this.#registers = [0, 0, 0];
    this.#done = this.#programs.map(() => 0);
    this.failure = undefined;
  }

  enabled(agent: number): boolean {
    return this.#next(agent) !== undefined;
  }

  watched(): undefined {
    return undefined;
  }

  step(agent: number): Footprint {
    const { reads = [], writes = [], run } = this.#next(agent) as Access;
    run(this.#registers);
    this.#done[agent] = (this.#done[agent] as number) + 1;
    return this.footprints.of(Int32Array.of(...writes, ...reads), writes.length + reads.length, writes.length);
  }

  conclude(): void {
    if (this.#registers[IRQ] === 0)
      this.failure = { monitor: 'device', rule: 'lost-interrupt', message: 'No interrupt.' };
  }

  #next(agent: number): Access | undefined {
    return this.#programs[agent]?.[this.#done[agent] as number];
  }
}

const ring: Access = { writes: [DOORBELL], run: (registers) => (registers[DOORBELL] = 1) };
const acknowledge: Access = { writes: [STATUS], run: (registers) => (registers[STATUS] = 1) };
const deliver: Access = {
  reads: [DOORBELL, STATUS],
  writes: [IRQ],
  run: (registers) => (registers[IRQ] = registers[DOORBELL] === 1 || registers[STATUS] === 0 ? 1 : 0),
};

describe('a target of its own', () => {
  test('the orders that matter, and a failure with its schedule', () => {
    const device = new Device([[ring], [acknowledge], [deliver]]);
    // Neither of two writes to different registers sees the other one: both, one or none of them before the delivery.
    const result = exploreTarget(device, { wanted: () => false });
    expect(result).toMatchObject({ verdict: 'exhausted', traces: 4, blocked: 0 });
    expect(device.resets).toBeGreaterThan(4);
    const found = exploreTarget(device);
    expect(found).toMatchObject({ verdict: 'violation', failure: { rule: 'lost-interrupt' } });
    expect(found.schedule?.indexOf(1)).toBeLessThan(found.schedule?.indexOf(2) ?? -1);
    expect(found.schedule?.indexOf(2)).toBeLessThan(found.schedule?.indexOf(0) ?? -1);
  });

  test('one that does not say all that it touches is noticed where a step is missed', () => {
    let rang = false;
    const secretly: Access = { ...ring, run: () => (rang = true) };
    const device = new Device([[acknowledge], [secretly], [{ reads: [STATUS], run: () => undefined }]]);
    const enabled = device.enabled.bind(device);
    const reset = device.reset.bind(device);
    device.reset = () => {
      reset();
      rang = false;
    };
    device.enabled = (agent) => enabled(agent) && (agent !== 2 || rang);
    expect(() => exploreTarget(device, { wanted: () => false })).toThrow(HarnessError);
  });

  test('too many agents are refused', () => {
    expect(() => exploreTarget(new Device(Array.from({ length: 17 }, () => [ring])))).toThrow(RangeError);
  });
});
