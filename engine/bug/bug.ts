/**
 * Which bug a failure shows.
 *
 * Decision. "The same rule is broken" is too little: two mistakes that both leave a stale translation would be one, and a
 * minimiser that looks for the smallest failure would slide from the one into the other. "The same state" or "the same
 * schedule" is too much: every program has others. What a developer means by "this bug" is which promise is broken, by
 * which code path, through which structure, and by a race of what with what. So a bug is named by
 *
 * - the rule, with its kind, and the promise that a monitor names;
 * - what it happened through, in the world's word ("TLB entry", "walk cache");
 * - the operation and step at which it showed, and the steps of that operation up to it (what it did, in the kernel's
 *   order, is what tells a missing CMD_SYNC from a missing CMD_TLBI, and one read of `asid` from one of `invs`);
 * - the races of that operation with those that overlap with it.
 *
 * All of it in shapes, without names and numbers, so that it survives renaming. All but the races is a function of the
 * failing state and of the failing agent's local state (see `Places`): that is the *key*, cheap enough to be asked about
 * each failure of a search, and sound there. Races depend on the schedule, of which a search knows one out of many; so
 * they are compared for the runs that come out of it.
 */
import type { Failure } from '../failure.ts';
import type { Observation } from '../observe.ts';
import { hashText } from '../hash.ts';
import type { Place } from './places.ts';
import { racesOf } from './races.ts';
import { numberless } from './shape.ts';

/** Names a bug; plain data, as it stands in traces. */
export interface Bug {
  /** monitor/rule, with a kind where one rule has several. */
  readonly rule: string;
  readonly promise?: string;
  readonly through?: string;
  /** Operation and step: "unmap: return". */
  readonly at?: string;
  /** Steps of the operation up to there, each shape once. */
  readonly path?: readonly string[];
  /** Sorted; empty if no order of two agents' accesses made a difference. */
  readonly races: readonly string[];
}

/** A bug without its races. */
type Key = Omit<Bug, 'races'>;

/** The part of a bug that is known at the moment of the failure, as one text. */
export function bugKey(failure: Failure, place: Place | undefined): string {
  return JSON.stringify(keyOf(failure, place));
}

/** The bug that an observed run shows; `failure` and `place` as they were in that run. */
export function bugOf(failure: Failure, place: Place | undefined, observation: Observation): Bug {
  const races = racesOf(observation).map(({ text }) => text);
  return { ...keyOf(failure, place), races: races.sort() };
}

/** The same for the same bug: two bugs are one if their names are. */
export function bugName(bug: Bug): string {
  const text = JSON.stringify([bug.rule, bug.promise, bug.through, bug.at, bug.path, bug.races]);
  return `${bug.rule}-${[0, 0x9e3779b9].map((seed) => (hashText(text, seed) >>> 0).toString(16).padStart(8, '0')).join('')}`;
}

function keyOf({ monitor, rule, data = {} }: Failure, place: Place | undefined): Key {
  const { kind, promise } = data;
  return {
    rule: `${monitor}/${rule}${kind === undefined ? '' : `/${numberless(String(kind))}`}`,
    ...(promise === undefined ? {} : { promise: String(promise) }),
    ...(place === undefined ? {} : { at: `${place.operation}: ${place.step}`, path: place.path }),
    ...(place?.through === undefined ? {} : { through: place.through }),
  };
}
