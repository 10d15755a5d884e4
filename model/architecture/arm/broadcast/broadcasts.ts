import type { TlbInvalidation } from '../commands/invalidation.ts';
import type { DvmReceiver } from '../dvm/bus.ts';
import { broadcastMark, type HoldTable } from '../holds.ts';
import type { Registers } from '../registers.ts';
import type { Translation } from '../translation/translation.ts';
import { Audience } from './audience.ts';
import type { OutstandingBroadcasts } from './outstanding-broadcasts.ts';

/** What broadcasts need of the rest of the model. */
export interface BroadcastParts {
  readonly registers: Registers;
  readonly holds: HoldTable;
  readonly translation: Translation;
  /** Undefined where IDR0.BTM = 0. */
  readonly outstanding: OutstandingBroadcasts | undefined;
  /** Draws the conclusions of what has gone. */
  readonly settle: () => void;
}

/**
 * Broadcast TLB maintenance of CPUs, as the SMMU receives it (IHI 0070 §3.17). What is matched are TLB entries of both
 * stages, walk caches among them, and never configuration caches nor ATCs. The worst hardware that takes part drops only
 * what it must, and not before the DSB of the CPU; one that is not required to take part (IDR0.BTM = 0, CR2.PTM = 1)
 * drops nothing. Whether translation is enabled does not matter (§6.3.9.6).
 *
 * Invalidations of a stage that is not implemented, or of VMIDs where stage 2 is not (entries then have VMID 0), match
 * nothing that could be held, so they are ignored; those of both stages match what there is.
 */
export class Broadcasts implements DvmReceiver {
  /** Those who are told what is covered, by broadcasts and by commands. */
  readonly audience: Audience;
  readonly #parts: BroadcastParts;

  constructor(parts: BroadcastParts) {
    this.#parts = parts;
    this.audience = new Audience(parts.translation, parts.holds);
  }

  /** See `DvmReceiver`. */
  invalidate(command: TlbInvalidation, slot: number): void {
    const { outstanding, registers, translation } = this.#parts;
    if (outstanding === undefined) return;
    const required = registers.broadcast === 'required';
    this.audience.tell('broadcast', outstanding.interned(command), required);
    if (required) translation.invalidate(outstanding.add(command, slot), broadcastMark(slot), registers.enabled);
  }

  /**
   * See `DvmReceiver`. The DSB waits for an SMMU whose CR2.PTM is 0 (§3.17.8, and §3.21.1 on completion); one that has
   * been told meanwhile not to take part need not have done what it was asked before.
   */
  complete(mask: number): void {
    const { outstanding, registers, holds, translation, settle } = this.#parts;
    const completed = outstanding?.among(mask) ?? 0;
    if (completed === 0) return;
    outstanding?.complete(completed);
    if (registers.broadcast !== 'required') return holds.spare(completed);
    translation.completeBroadcasts(completed);
    settle();
  }
}
