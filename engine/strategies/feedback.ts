import { Random } from '../random.ts';
import { Priorities } from './priorities.ts';
import { ReadsFrom } from './reads-from.ts';
import type { RunView, Strategy } from './strategy.ts';

/** Beginnings of schedules kept for one program, the newest ones. */
const KEPT_MAX = 16;

/**
 * Feedback over PCT: schedules that showed something new are kept up to where they did so last, and every other run follows
 * one of them to that point, or to one before it, and draws its priorities and change points from there on. So what takes
 * many changes of agent is reached in stages, where PCT must draw them all at once.
 *
 * New is a pair of local states of which the one reads what the other wrote (`ReadsFrom`), the feedback of Wolff, Shi,
 * Duck, Mathur, Roychoudhury, "Greybox fuzzing for concurrency testing" (ASPLOS 2024). Differs from the paper in what is
 * changed: there a schedule is a set of constraints on which write a read sees; here it is a beginning to return to before
 * exploring further, as in Ecoffet, Huizinga, Lehman, Stanley, Clune, "First return, then explore" (Nature 590, 2021).
 *
 * @param depth 1 … 8, as for PCT.
 */
export function feedback(depth = 3): Strategy {
  const random = new Random(0);
  const priorities = new Priorities(depth - 1);
  let readsFrom = new ReadsFrom();
  let kept: Int32Array[] = [];
  let view: RunView | undefined;
  /** A schedule of which the first `cut` steps are followed. */
  let beginning: Int32Array = new Int32Array(0);
  let cut = 0;
  let steps = 0;
  /** Steps up to and including the last one that showed something new. */
  let newest = 0;

  return {
    name: `feedback${depth}`,
    begin: (seed, now) => {
      random.seed(seed);
      if (now !== view) {
        kept = [];
        readsFrom = new ReadsFrom();
      }
      view = now;
      cut = 0;
      if (kept.length > 0 && random.below(2) === 0) {
        beginning = kept[random.below(kept.length)] as Int32Array;
        cut = random.below(2) === 0 ? beginning.length : random.below(beginning.length + 1);
      }
      priorities.draw(random, now.nodes.length, now.stepsExpected - cut);
      priorities.begin();
      readsFrom.begin();
      steps = newest = 0;
    },
    pick: (enabled, count, step, previous) => {
      if (step < cut) return beginning[step] as number;
      return priorities.pick(enabled, count, step - cut, step === cut ? -1 : previous);
    },
    ran: (node, footprint) => {
      steps++;
      if (readsFrom.step(node, footprint)) newest = steps;
    },
    ended: () => {
      if (newest === 0) return;
      if (kept.length === KEPT_MAX) kept.shift();
      kept.push((view as RunView).schedule.slice(0, newest));
    },
  };
}
