import { fingerprint, HarnessError } from '../failure.ts';
import { Random } from '../random.ts';
import type { System } from '../system.ts';
import { Frame } from './frame.ts';

/** What a schedule showed at each of its states. */
interface Course {
  readonly schedule: readonly number[];
  /** For each state, the agents enabled, a bit each. */
  readonly enabled: readonly number[];
  /** For each renaming and state after the first, the fingerprint of the renamed state. */
  readonly prints: readonly (readonly string[])[];
  readonly failure: string | undefined;
}

/**
 * Looks for what is wrong with a world's renamings: runs random schedules, and each of them renamed, and compares the states
 * with those that the renaming foretells, the agents enabled, and the failures.
 *
 * @throws HarnessError if they differ.
 */
export function checkSymmetry(system: System, { runs = 100, seed = 1 } = {}): void {
  system.machine.agents = system.agents;
  const frame = new Frame(system, { order: 'dfs', stepsMax: 200 });
  const { orbit } = frame;
  if (orbit === undefined) throw new HarnessError('the world has no symmetry to check');
  const random = new Random(seed);
  try {
    for (let run = 0; run < runs; run++) {
      const course = follow(frame, (enabled) => enabled[random.below(enabled.length)] as number);
      for (let which = 0; which < orbit.size; which++) {
        const schedule = course.schedule.map((agent) => orbit.agent(which, agent));
        compare(
          which,
          course,
          follow(frame, (_, step) => schedule[step] ?? -1),
          (agent) => orbit.agent(which, agent),
        );
      }
    }
  } finally {
    frame.restore();
    system.machine.failure = undefined;
  }
}

/** Runs a schedule to its end, a failure, or a bound on steps. */
function follow(frame: Frame, pick: (enabled: readonly number[], step: number) => number): Course {
  const { machine } = frame.system;
  frame.goToRoot();
  machine.failure = undefined;
  const schedule: number[] = [];
  const enabled: number[] = [];
  const prints: string[][] = Array.from({ length: 1 + (frame.orbit?.size ?? 0) }, () => []);
  for (;;) {
    const able = frame.nodes.map((_, agent) => agent).filter((agent) => frame.isEnabled(agent));
    enabled.push(able.reduce((bits, agent) => bits | (1 << agent), 0));
    const agent = schedule.length >= frame.stepsMax ? -1 : pick(able, schedule.length);
    if (!able.includes(agent)) break;
    frame.advance(agent);
    schedule.push(agent);
    for (const [which, list] of prints.entries()) {
      const print = which === 0 ? frame.print : frame.orbit?.print(which - 1, frame.nodes);
      list.push(`${print?.low} ${print?.high}`);
    }
    if (machine.failure !== undefined) break;
  }
  const failure = machine.failure === undefined ? undefined : fingerprint(machine.failure);
  return { schedule, enabled, prints, failure };
}

function compare(which: number, course: Course, other: Course, rename: (agent: number) => number): void {
  const complain = (what: string, step: number): never => {
    throw new HarnessError(
      `renaming ${which}: ${what} after ${step} steps of the schedule ${course.schedule.slice(0, step + 1).join(' ')}`,
    );
  };
  const foretold = course.prints[which + 1] ?? [];
  for (const [step, bits] of course.enabled.entries()) {
    if (step > 0 && foretold[step - 1] !== other.prints[0]?.[step - 1]) complain('another state than foretold', step);
    let renamed = 0;
    for (let agent = 0; agent < 32; agent++) if ((bits & (1 << agent)) !== 0) renamed |= 1 << rename(agent);
    if (renamed !== other.enabled[step]) complain('other agents are enabled', step);
  }
  if (course.failure !== other.failure) complain('another failure', course.schedule.length);
}
