import type { Observation } from '../../engine/observe.ts';
import type { WhyLine } from '../family.ts';

/** Late stores that an explanation names. */
const NAMED_MAX = 2;

/** A store that waited in a store buffer; indices of steps. */
interface LateStore {
  readonly cpu: string;
  readonly store: string;
  readonly from: number;
  /** Step with which it reached memory; undefined: it had not when the run failed. */
  readonly to: number | undefined;
}

/** The line of a snapshot that says that a store is pending. */
export function pendingLine(cpu: string, store: string): string {
  return `${cpu} has yet to store: ${store}`;
}

/**
 * Why a failure of a weakly ordered world was possible: the stores that were pending during most steps of others. Unlocks
 * are left out, since a late one only makes others wait.
 */
export function lateStores(observation: Observation): WhyLine[] {
  const { steps } = observation;
  const meanwhile = ({ cpu, from, to }: LateStore): number =>
    steps
      .slice(from + 1, to ?? steps.length)
      .filter(({ agentName }) => agentName !== cpu && !agentName.includes(' store buffer')).length;
  return storesOf(observation)
    .map((late) => ({ late, length: meanwhile(late) }))
    .filter(({ late, length }) => length > 0 && !late.store.endsWith(':= free'))
    .sort((left, right) => right.length - left.length)
    .slice(0, NAMED_MAX)
    .map(({ late: { cpu, store, from, to } }) => {
      const when = to === undefined ? 'has not reached memory yet' : `reached memory only with step ${to + 1}`;
      return { head: 'Because', text: `"${store}" of step ${from + 1} (${cpu}) ${when}.` };
    });
}

function storesOf({ steps }: Observation): LateStore[] {
  const pending = new Map<string, LateStore>();
  const stores: LateStore[] = [];
  for (const [at, { notes }] of steps.entries())
    for (const note of notes) {
      const [, sign, cpu, store] = /^([+-]) (\S+) has yet to store: (.*)$/.exec(note) ?? [];
      if (cpu === undefined || store === undefined) continue;
      const key = `${cpu} ${store}`;
      const begun = pending.get(key);
      if (sign === '+') pending.set(key, { cpu, store, from: at, to: undefined });
      else if (begun !== undefined) {
        stores.push({ ...begun, to: at });
        pending.delete(key);
      }
    }
  return [...stores, ...pending.values()];
}
