import type { Failure } from '../../engine/failure.ts';
import type { SearchResult } from '../../engine/search/search.ts';
import type { Family, Hazard, Litmus } from '../../properties/family.ts';
import { paint } from '../../traces/report/paint.ts';
import { grouped, pad, plural, widthOf } from '../../traces/report/text.ts';
import { exitCode, type ExitCode } from '../exit.ts';

/** One exploration: a litmus on one implementation. */
export interface Exploration {
  readonly litmus: Litmus;
  /** Undefined: the correct implementation. */
  readonly hazard: string | undefined;
}

/** How an exploration came out. */
export interface Row extends Exploration {
  readonly result: SearchResult;
  readonly seconds: number;
  /** `none-found`: every state was explored that the memory given could tell from others. */
  readonly verdict: 'holds' | 'none-found' | 'violated' | 'unexpected' | 'missed' | 'bound';
}

/** What a result means for what was explored. */
export function rowOf(family: Family, exploration: Exploration, result: SearchResult, seconds: number): Row {
  return { ...exploration, result, seconds, verdict: verdictOf(family, exploration.hazard, result) };
}

function verdictOf(family: Family, hazard: string | undefined, result: SearchResult): Row['verdict'] {
  if (result.bound === 'memory' && hazard === undefined) return 'none-found';
  if (result.verdict === 'bound') return 'bound';
  if (result.failure === undefined) return hazard === undefined ? 'holds' : 'missed';
  const known = family.hazards.find(({ id }) => id === hazard);
  return known === undefined || isExpected(known, result.failure) ? 'violated' : 'unexpected';
}

function isExpected(hazard: Hazard, failure: Failure): boolean {
  return hazard.expected.some(({ monitor, rule }) => monitor === failure.monitor && rule === failure.rule);
}

/** The table of a run of `explore`: a line for each exploration. */
export class Table {
  readonly #litmusWidth: number;
  readonly #hazardWidth: number;
  readonly #colour: boolean;
  readonly #within: string;

  /** @param switchesMax the bound on context switches within which everything was explored, if there is one. */
  constructor(family: Family, litmus: readonly Litmus[], colour: boolean, switchesMax?: number) {
    this.#within = switchesMax === undefined ? '' : ` with up to ${plural(switchesMax, 'switch')}`;
    this.#litmusWidth = Math.max(...litmus.map(({ id }) => widthOf(id)), 6) + 2;
    const implementations = ['correct', ...family.hazards.map(({ id }) => id)];
    this.#hazardWidth = Math.max(...implementations.map(widthOf)) + 2;
    this.#colour = colour;
  }

  head(): string {
    return `${this.#names('litmus', 'implementation')}${pad('result', 34)}    states transitions      ends     time`;
  }

  line({ litmus, hazard, result, seconds, verdict }: Row): string {
    const inks = paint(this.#colour);
    const rule = result.failure?.rule ?? '';
    const words = {
      holds: `✓ holds${this.#within}`,
      'none-found': `✓ none found, ${missed(result)}`,
      violated: hazard === undefined ? `✗ ${rule}` : `✓ violated: ${rule}`,
      unexpected: `✗ another violation: ${rule}`,
      missed: `✗ not violated${this.#within}`,
      bound: `✗ not exhausted (${result.bound ?? ''})`,
    }[verdict];
    const good = words.startsWith('✓');
    const numbers = [result.states, result.transitions, result.ends]
      .map((value) => grouped(value).padStart(10))
      .join('');
    const time = `${seconds.toFixed(2)} s`.padStart(9);
    return `${this.#names(litmus.id, hazard ?? 'correct')}${(good ? inks.good : inks.bad)(pad(words, 34))}${numbers}${time}`;
  }

  #names(litmus: string, implementation: string): string {
    return `${pad(litmus, this.#litmusWidth)}${pad(implementation, this.#hazardWidth)}`;
  }
}

/** How many states a search is expected to miss that takes some for others. */
function missed({ omissions }: SearchResult): string {
  if (omissions === undefined) return 'some states may be missed';
  return `${omissions.expected.toPrecision(1)} states missed`;
}

/** What a row means for the exit code. @param asked whether the user has chosen the hazard. */
export function codeOf({ hazard, verdict }: Row, asked: boolean): ExitCode {
  if (verdict === 'violated') return hazard === undefined || asked ? exitCode.violation : exitCode.holds;
  if (verdict === 'unexpected') return asked ? exitCode.violation : exitCode.harness;
  // With one hazard chosen, a litmus that is not for it simply holds.
  if (verdict === 'missed') return asked ? exitCode.holds : exitCode.harness;
  return verdict === 'holds' || verdict === 'none-found' ? exitCode.holds : exitCode.harness;
}
