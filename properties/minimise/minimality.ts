import type { Bug } from '../../engine/bug/bug.ts';
import type { Found } from '../campaign.ts';
import type { Needed } from './necessary.ts';

/** What the minimiser can say about its result. */
export interface Minimality {
  /** `proved`: every program that is left after deleting any operations was exhausted and does not show the failure. */
  readonly operations: 'proved' | 'not-proved';
  /** `proved`: nor does the program with any simpler arguments. */
  readonly arguments: 'proved' | 'not-proved';
  /** `proved`: no schedule with fewer context switches, and none with as many and fewer steps, shows the failure. */
  readonly schedule: 'proved' | 'not-proved';
  /** Programs exhausted (fewer operations, simpler arguments), and states of all searches. */
  readonly smallerPrograms: number;
  readonly states: number;
  readonly operationsFrom: number;
  readonly stepsFrom: number;
  readonly switchesFrom: number;
  readonly switches: number;
  /** One sentence: what was shown, or what was not and why. */
  readonly note: string;
}

/** A minimised failure. */
export interface Minimised extends Found {
  readonly minimal: Minimality;
  /** Its races are those whose order is necessary in this program. */
  readonly bug: Bug;
  /** The switches that are needed, as far as the budget allowed to find out. */
  readonly necessary: readonly Needed[];
}

/** Why a level of the minimisation is not proved. */
export type Unproved = 'another-race' | 'bound';

const REASONS: Readonly<Record<Unproved, string>> = {
  bound: 'the time or the states ran out',
  'another-race': 'something smaller breaks the same rule by another race',
};

/** The sentence about a result, from the levels that are not proved. */
export function minimalityNote(unproved: readonly (readonly [string, Unproved])[], smallerPrograms: number): string {
  if (unproved.length === 0) return `every smaller program holds (${smallerPrograms} exhausted)`;
  const parts = unproved.map(([level, why]) => `${level} (${REASONS[why]})`);
  return `not proved minimal: ${parts.join(', ')}`;
}
