import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Frame } from '../engine/search/frame.ts';
import type { Configuration, Family, Program, World } from './family.ts';
import { families } from './index.ts';

/** Programs that a world has run before, each under one schedule. */
const BEFORE = 3;
/** Pairs of worlds that are compared for each family, each with a configuration and a known mistake of its own. */
const PAIRS = 12;
/** Longest schedule that is followed. */
const STEPS = 300;

/** A program on its way, where the next agent is chosen from outside. */
class Walk {
  readonly #world: World;
  readonly #frame: Frame;

  constructor(world: World, program: Program) {
    this.#world = world;
    const system = world.load(program);
    system.machine.agents = system.agents;
    this.#frame = new Frame({ ...system, memoise: false }, { order: 'dfs' });
  }

  get enabled(): number[] {
    if (this.#frame.system.machine.failure !== undefined) return [];
    return [...this.#frame.nodes.keys()].filter((agent) => this.#frame.isEnabled(agent));
  }

  advance(agent: number): void {
    this.#frame.advance(agent);
  }

  /** All that can be said of where it is without saying where things stand in the store. */
  look(): object {
    const { nodes, print, system } = this.#frame;
    return {
      next: nodes.map(({ step }) => step?.label),
      enabled: this.enabled,
      print: [print.low, print.high],
      failure: system.machine.failure?.message,
      snapshot: this.#world.snapshot().toSorted(),
    };
  }

  close(): void {
    this.#frame.restore();
    this.#frame.system.machine.failure = undefined;
  }
}

/** Draws numbers for schedules. */
function generator(seed: number): (below: number) => number {
  let state = seed * 0x9e37_79b1 + 1;
  return (below) => {
    state = (Math.imul(state, 0x41c6_4e6d) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Goes one way through a program in all walks at once, and compares them at every step. */
function follow(walks: readonly Walk[], seed: number): number {
  const next = generator(seed);
  const [first] = walks;
  let steps = 0;
  for (; steps < STEPS; steps++) {
    const looks = walks.map((walk) => walk.look());
    for (const look of looks) expect(look, `step ${steps}`).toEqual(looks[0]);
    const enabled = first?.enabled ?? [];
    const agent = enabled[next(enabled.length)];
    if (agent === undefined) break;
    for (const walk of walks) walk.advance(agent);
  }
  for (const walk of walks) walk.close();
  return steps;
}

function draw<Drawn>(arbitrary: fc.Arbitrary<Drawn>, seed: number): Drawn {
  const [drawn] = fc.sample(arbitrary, { seed, numRuns: 1 });
  if (drawn === undefined) throw new Error('nothing was drawn');
  return drawn;
}

function compare(family: Family, configuration: Configuration, hazard: string | undefined, seed: number): number {
  const used = family.world(configuration, hazard);
  // A mistake may be one of a certain machine.
  const programs = family.programs(used.configuration);
  for (let at = 1; at <= BEFORE; at++) follow([new Walk(used, draw(programs, seed * 1000 + at))], seed + at);
  const program = draw(programs, seed * 1000);
  return follow([new Walk(family.world(configuration, hazard), program), new Walk(used, program)], seed);
}

describe('what a program does and finds in a world does not depend on programs before it', () => {
  test.each(families)('$name', (family) => {
    const hazards = [undefined, ...family.hazards.map(({ id }) => id)];
    let steps = 0;
    for (let seed = 0; seed < PAIRS; seed++) {
      const configuration = draw(family.configurations, seed);
      steps += compare(family, configuration, hazards[seed % hazards.length], seed);
    }
    expect(steps).toBeGreaterThan(PAIRS * 5);
  });
});
