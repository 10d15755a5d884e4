/** The bugs that hazards are known to show as, to say of a failure that it looks like one. */
import { bugName, type Bug } from '../engine/bug/bug.ts';
import { knownBugs } from './known-bugs/index.ts';

/** Hazards of a family that show as this bug, by the corpus and the failures found when it was made. */
export function hazardsWith(family: string, bug: Bug): readonly string[] {
  return knownBugs[family]?.[bugName(bug)] ?? [];
}
