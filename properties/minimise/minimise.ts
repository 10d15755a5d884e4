import { HarnessError, fingerprint } from '../../engine/failure.ts';
import type { Found } from '../campaign.ts';
import type { Family } from '../family.ts';
import { simplerArguments } from './arguments.ts';
import { Bench, akin, type Candidate } from './bench.ts';
import { Budget } from './budget.ts';
import { minimalityNote, type Minimised, type Unproved } from './minimality.ts';
import { necessaryRaces, necessarySwitches, type Needed } from './necessary.ts';
import { fewerAgents, fewerOfFound, fewerOperations, type Shown } from './operations.ts';
import { canonical, countOperations } from './program.ts';
import { otherWorld, shrink } from './shrink.ts';

export type { Minimality, Minimised } from './minimality.ts';

/** Budget of a minimisation. */
export interface MinimiseOptions {
  /** Seconds after which the best so far is returned, honestly labelled. */
  readonly seconds: number;
  readonly stop?: () => boolean;
}

/** Most switches of a schedule that is searched for. */
const SWITCHES_MAX = 8;

/**
 * The smallest program and schedule that show the same bug as a failure (see `engine/bug/bug.ts`: never another one).
 *
 * First by runs (`shrink`); then, each level proved by exhausting what is smaller: operations, arguments, context
 * switches, steps. What is found on a level starts again from the first one. For one bug the result depends little on
 * where it came from: levels look at the simplest first, and agents are put in a fixed order.
 */
export async function minimise(family: Family, found: Found, options: MinimiseOptions): Promise<Minimised> {
  const bench = new Bench(family, found.hazard, new Budget(options.seconds, options.stop));
  const start = bench.adopt(found.configuration, found.program, found.schedule);
  if (start === undefined)
    throw new HarnessError(`a failure (${fingerprint(found.failure)}) does not come back: it cannot be minimised`);
  return new Minimisation(bench, found, start).run();
}

class Minimisation {
  readonly #bench: Bench;
  readonly #found: Found;
  readonly #start: Candidate;
  readonly #unproved: (readonly [string, Unproved])[] = [];

  constructor(bench: Bench, found: Found, start: Candidate) {
    this.#bench = bench;
    this.#found = found;
    this.#start = start;
  }

  async run(): Promise<Minimised> {
    let best = await shrink(this.#bench, this.#start);
    const again = await fewerOfFound(this.#bench, this.#start, best);
    if (again !== undefined) best = await shrink(this.#bench, again);
    const levels = new Map<string, Shown>();
    for (;;) {
      const smaller = await this.#level(best, levels);
      if (smaller === undefined) break;
      best = await shrink(this.#bench, smaller);
    }
    // A large program may take all the time to be proved minimal; its schedule can be made short nevertheless.
    this.#bench.budget.beginLastPart();
    best = this.#scheduled(best);
    const races = await necessaryRaces(this.#bench, best);
    const necessary = await necessarySwitches(this.#bench, best);
    return this.#result({ ...best, bug: { ...best.bug, races } }, necessary, levels);
  }

  /** Something smaller, or undefined; then `levels` says what was shown. */
  async #level(best: Candidate, levels: Map<string, Shown>): Promise<Candidate | undefined> {
    const other = (await fewerAgents(this.#bench, best)) ?? (await otherWorld(this.#bench, best));
    if (other !== undefined) return other;
    for (const [name, level] of [
      ['operations', fewerOperations],
      ['arguments', simplerArguments],
    ] as const) {
      const result = await level(this.#bench, best);
      if ('schedule' in result) return result;
      levels.set(name, result);
    }
    return undefined;
  }

  /** The shortest schedule of the program, with its agents in the fixed order. */
  #scheduled(best: Candidate): Candidate {
    if (this.#bench.budget.expired()) {
      this.#unproved.push(['switches', 'bound']);
      return best;
    }
    const ordered = this.#bench.projected(best, best.configuration, canonical(best.program)) ?? best;
    const { result, candidate } = this.#bench.shortest(ordered, Math.min(ordered.switches, SWITCHES_MAX));
    if (candidate !== undefined && akin(candidate, ordered)) return candidate;
    const level = result.verdict === 'bound' && result.switches === ordered.switches ? 'steps' : 'switches';
    this.#unproved.push([level, candidate === undefined ? 'bound' : 'another-race']);
    return ordered;
  }

  #result(best: Candidate, necessary: readonly Needed[], levels: ReadonlyMap<string, Shown>): Minimised {
    const { states } = this.#bench;
    const smallerPrograms = [...levels.values()].reduce((sum, { programs }) => sum + programs, 0);
    const scheduled = this.#unproved.length === 0;
    for (const [name, { verdict }] of [...levels].toReversed())
      if (verdict !== 'holds') this.#unproved.unshift([name, verdict]);
    const proof = (proved: boolean) => (proved ? 'proved' : 'not-proved');
    const { program, schedule, failure } = best;
    // As the world has it: a hazard may belong to one design.
    const { configuration } = this.#bench.family.world(best.configuration, this.#found.hazard);
    const minimal = {
      operations: proof(levels.get('operations')?.verdict === 'holds'),
      arguments: proof(levels.get('arguments')?.verdict === 'holds'),
      schedule: proof(scheduled),
      smallerPrograms,
      states,
      operationsFrom: countOperations(this.#found.program),
      stepsFrom: this.#found.schedule.length,
      switchesFrom: this.#start.switches,
      switches: best.switches,
      note: minimalityNote(this.#unproved, smallerPrograms),
    } as const;
    return { ...this.#found, configuration, program, schedule, failure, bug: best.bug, necessary, minimal };
  }
}
