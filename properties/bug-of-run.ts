import { bugOf, type Bug } from '../engine/bug/bug.ts';
import { Places } from '../engine/bug/places.ts';
import { HarnessError } from '../engine/failure.ts';
import { observe } from '../engine/observe.ts';
import type { Program, World } from './family.ts';

/** The bug that a schedule shows, with every race of that run, necessary or not. @throws HarnessError if it shows none. */
export function bugOfRun(world: World, program: Program, schedule: readonly number[]): Bug {
  const places = new Places(world.load(program), (failure) => world.through?.(failure));
  const observation = observe(places.system, schedule);
  const { failure } = observation;
  if (failure === undefined) throw new HarnessError('a schedule that does not fail shows no bug');
  return bugOf(failure, places.of(failure), observation);
}
