import { EVENT } from '../../model/architecture/arm/layout/index.ts';
import { PERMISSION } from '../../model/architecture/arm/outcomes/outcome.ts';
import type { AccessResult } from '../../model/architecture/arm/outcomes/event-record.ts';
import type { ArchitectureOutcome } from '../../model/contract/observe.ts';
import { frameName } from '../asid/configuration.ts';

/** What a DMA write on a real device came to. `pa` is the address of the 4 KiB page that was written. */
export type Reached =
  | { readonly kind: 'page'; readonly pa: number }
  /** The SMMU recorded an event. */
  | { readonly kind: 'fault'; readonly event: number }
  /** The access went to its input address. */
  | { readonly kind: 'bypass' }
  /** Nothing was written, and nothing recorded. */
  | { readonly kind: 'abort' };

/** In the words of the architecture. All mappings of these families can be read and written, so a write stands for both. */
export function asOutcome(reached: Reached): ArchitectureOutcome {
  if (reached.kind !== 'page') return reached;
  return { kind: 'translation', pa: reached.pa, permissions: PERMISSION.UR | PERMISSION.UW };
}

/** Whether an answer of the architecture is what the device did. */
export function agrees(reached: Reached, permitted: AccessResult): boolean {
  switch (permitted.kind) {
    case 'unpredictable':
      return true;
    case 'translation':
      return reached.kind === 'page' && reached.pa === permitted.pa;
    case 'bypass':
      // An address that the device was given by ATS goes untranslated to where it says.
      return reached.kind === 'bypass' || (reached.kind === 'page' && reached.pa === permitted.pa);
    case 'abort':
      return reached.kind === 'abort';
    case 'fault':
      if (permitted.record === undefined) return reached.kind === 'abort';
      return reached.kind === 'fault' && reached.event === permitted.event;
  }
}

/** What is permitted, for a report; `iova` is where the access goes in. */
export function permittedText(permitted: AccessResult, iova: number): string {
  switch (permitted.kind) {
    case 'translation':
      return frameName(permitted.pa);
    case 'bypass':
      return permitted.pa === iova ? 'bypass' : frameName(permitted.pa);
    case 'fault':
      return permitted.record === undefined ? 'abort' : reachedText(permitted);
    default:
      return permitted.kind;
  }
}

/** "G0", "F_TRANSLATION", "bypass", "abort": for a report. */
export function reachedText(reached: Reached): string {
  if (reached.kind === 'page') return frameName(reached.pa);
  if (reached.kind !== 'fault') return reached.kind;
  return (
    Object.entries(EVENT).find(([, code]) => code === reached.event)?.[0] ?? `event 0x${reached.event.toString(16)}`
  );
}
