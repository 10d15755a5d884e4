import { READ, WRITE } from './events.ts';
import type { Observed } from './translation-state.ts';

/** An outcome of an architecture, as far as the contract understands it. Architectures may say more. */
export type ArchitectureOutcome =
  | { readonly kind: 'translation'; readonly pa: number; readonly permissions: number }
  | { readonly kind: 'fault'; readonly event: number }
  | { readonly kind: 'abort' | 'bypass' | 'unpredictable' }
  /** The device uses an address that it was given by ATS; `pa` is -1 if the access then comes to `end`. */
  | {
      readonly kind: 'translated';
      readonly pa: number;
      readonly permissions: number;
      readonly end: ArchitectureOutcome;
    };

/** How an architecture numbers what the contract tells apart. */
export interface Vocabulary {
  /** Events that say "nothing is mapped there" (SMMUv3: F_TRANSLATION). */
  readonly missing: readonly number[];
  /** Events that say "two cached entries match" (SMMUv3: F_TLB_CONFLICT, F_CFG_CONFLICT). */
  readonly conflict: readonly number[];
  /** Bits of the permissions that let this world's devices read and write. */
  readonly read: number;
  readonly write: number;
}

/**
 * An outcome in the words of the contract. A fault for any other reason than a missing translation (a configuration
 * that is not valid, a malformed descriptor) is a refusal by the configuration, thus an abort: software that has
 * attached a space promised that it would not happen. An access by an address that the device keeps is judged like any
 * other: the promises are about where devices get, whatever cache leads them there.
 */
export function observe(outcome: ArchitectureOutcome, words: Vocabulary): Observed {
  switch (outcome.kind) {
    case 'translation': {
      const read = (outcome.permissions & words.read) === 0 ? 0 : READ;
      const write = (outcome.permissions & words.write) === 0 ? 0 : WRITE;
      return { kind: 'translated', pa: outcome.pa, permissions: read | write };
    }
    case 'translated':
      if (outcome.pa < 0) return observe(outcome.end, words);
      return observe({ kind: 'translation', pa: outcome.pa, permissions: outcome.permissions }, words);
    case 'fault':
      if (words.missing.includes(outcome.event)) return { kind: 'fault' };
      return { kind: words.conflict.includes(outcome.event) ? 'conflict' : 'abort' };
    default:
      return { kind: outcome.kind };
  }
}
