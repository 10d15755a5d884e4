import { EVENT } from '../../../model/architecture/arm/layout/index.ts';
import type { Outcome } from '../../../model/architecture/arm/outcomes/outcome.ts';

/** An outcome in a word: "0x50000000", "C_BAD_STE", "abort". */
export function outcomeName(outcome: Outcome): string {
  if (outcome.kind === 'translation') return `0x${outcome.pa.toString(16)}`;
  if (outcome.kind !== 'fault') return outcome.kind;
  return Object.entries(EVENT).find(([, code]) => code === outcome.event)?.[0] ?? `event ${outcome.event}`;
}

/** The same where two errors say alike that there is no context descriptor, at the first or at the second level. */
export function descriptorOutcomeName(outcome: Outcome): string {
  const name = outcomeName(outcome);
  return name === 'C_BAD_SUBSTREAMID' ? 'C_BAD_CD' : name;
}
