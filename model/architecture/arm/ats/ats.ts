import type { AtcInvalidation } from './atc-invalidation.ts';
import type { PendingCommands } from '../commands/pending.ts';
import type { ConfigLookup } from '../configuration/config-lookup.ts';
import type { HeldDescription, OutcomeSource } from '../outcomes/held-queries.ts';
import type { Access, AccessResult } from '../outcomes/event-record.ts';
import type { Outcome, TranslatedOutcome } from '../outcomes/outcome.ts';
import type { Registers } from '../registers.ts';
import type { Slot, StreamContext } from '../universe.ts';
import { coversAtc } from './atc-invalidation.ts';
import { Atc, type AtcEntry } from './atc.ts';
import { AtsConfigs, type AtsConfig } from './ats-config.ts';
import { AtsSlots, type AtsParts } from './ats-slots.ts';
import type { TranslationCompletion, TranslationRequest } from './response.ts';
import { translatedEnd, translatedResult } from './translated-access.ts';

/** What ATS needs of the rest of the model. */
export interface AtsModelParts extends Omit<AtsParts, 'atc' | 'atsConfigs' | 'lookup'> {
  readonly pending: PendingCommands;
  readonly registers: Registers;
  readonly configLookup: ConfigLookup;
  /** The set of configurations that a context may use now. */
  readonly configSetOf: (context: StreamContext) => number;
  /** Told of each slot whose outcomes are to be computed again at the end of the current change. */
  readonly touched: (slots: readonly number[]) => void;
  /** Ends a change. */
  readonly settle: () => void;
}

/**
 * Address translation services (IHI 0070 §3.9): translation requests, what devices keep of the answers, and the accesses
 * that they make with it. A world without slots that use ATS has none of this.
 */
export class Ats {
  readonly #parts: AtsModelParts;
  readonly #configs: AtsConfigs;
  readonly #atc: Atc;
  readonly #slots: AtsSlots;

  constructor(parts: AtsModelParts) {
    this.#parts = parts;
    this.#configs = new AtsConfigs(parts);
    this.#atc = new Atc(parts);
    const lookup = (context: StreamContext): AtsConfig[] => this.#lookup(context);
    this.#slots = new AtsSlots({ ...parts, atc: this.#atc, atsConfigs: this.#configs, lookup });
  }

  /** Whether the device uses ATS for a slot. */
  serves(slot: number): boolean {
    return this.#atc.serves(slot);
  }

  /** The configuration of a context may have changed: its slots are touched if so. */
  reconfigure(context: StreamContext): void {
    // An outstanding CMD_ATC_INV is ignored if it is only processed now (§4.5.1).
    if (!this.#parts.registers.enabled) this.#atc.spare();
    if (this.#slots.reconfigure(context)) this.#parts.touched(context.slots);
  }

  /** Computes the outcomes of a slot; true if they have changed. */
  update(slot: number): boolean {
    return this.#slots.update(slot, this.#parts.configSetOf(this.#contextOf(slot)));
  }

  /**
   * A CMD_ATC_INV has begun.
   *
   * @returns how many entries it covers.
   */
  invalidate(command: AtcInvalidation, sequence: number): number {
    // Without translation the command is ignored (§4.5.1).
    if (!this.#parts.registers.enabled) return 0;
    return this.#atc.invalidate(command, sequence, (slot) => this.#parts.touched([slot]));
  }

  /** All commands before `sequence` have completed. */
  complete(sequence: number): void {
    this.#atc.complete(sequence, (slot) => this.#parts.touched([slot]));
  }

  /** Whether ATS is enabled at the endpoint; it is from the start. */
  enabled(streamId: number): boolean {
    return this.#atc.enabled(streamId);
  }

  /** ATS is switched at the endpoint. What its ATC holds stays, and is used again when ATS is back. */
  setEnabled(streamId: number, enabled: boolean): void {
    this.#atc.setEnabled(streamId, enabled);
    for (const context of this.#parts.universe.contexts)
      if (context.streamId === streamId) this.#parts.touched(context.slots);
    this.#parts.settle();
  }

  /**
   * Whether the endpoint answers invalidation requests (§3.9.1.4). One that does not keeps what it holds, and the next
   * CMD_SYNC stops the queue with CERROR_ATC_INV_SYNC; when that has been acknowledged, the CMD_SYNC completes.
   */
  setAnswers(streamId: number, answers: boolean): void {
    this.#atc.setAnswers(streamId, answers);
  }

  /** See `CommandQueueParts.takeTimeout`. */
  takeTimeout(): boolean {
    return this.#atc.takeTimeout();
  }

  /** How a translation request for a slot may be completed now. */
  completions(slot: number, request: TranslationRequest): readonly TranslationCompletion[] {
    return this.#slots.completions(slot, request);
  }

  /** Outcomes of an access of a slot that the device has not translated. */
  direct(slot: number): readonly Outcome[] {
    return this.#slots.direct(slot);
  }

  /**
   * What may happen to an access with a translated address of the device's own choice, a multiple of 4 KiB. Where the
   * address is an IPA, stage 2 is walked for it from now on.
   */
  translated(slot: number, address: number, write: boolean): readonly AccessResult[] {
    this.#slots.demand(slot, address);
    this.#parts.settle();
    const { streamId } = this.#parts.universe.slots[slot] as Slot;
    return this.#slots.translated(slot, address).map((outcome) => translatedEnd(outcome, streamId, write));
  }

  /** See `translatedResult`. */
  resultOf(outcome: TranslatedOutcome, slot: number, access: Access): AccessResult | undefined {
    return translatedResult(outcome, this.#parts.universe.slots[slot] as Slot, access);
  }

  /** What gives a slot an outcome now. */
  explain(slot: number, outcome: Outcome): OutcomeSource[] {
    return this.#slots.sources(slot, outcome).map((entry) => ({ text: describe(entry), readFrom: [] }));
  }

  /** Everything that the ATCs may hold, in words. */
  held(): HeldDescription[] {
    return this.#atc.allHeld().map((entry) => this.#describe(entry));
  }

  /** What a command would cover now. */
  covers(command: AtcInvalidation): HeldDescription[] {
    const covered = this.#atc.allHeld().filter((entry) => coversAtc(command, entry));
    return covered.map((entry) => this.#describe(entry));
  }

  #describe(entry: AtcEntry): HeldDescription {
    return { kind: 'ATC', text: describe(entry), asid: -1, readFrom: -1, doomed: this.#atc.doomed(entry) };
  }

  #lookup(context: StreamContext): AtsConfig[] {
    const { registers, configLookup } = this.#parts;
    if (!registers.enabled) return [this.#configs.disabled()];
    const found: AtsConfig[] = [];
    configLookup.configsOf(context, registers.streamTable(), (config, entry) =>
      found.push(this.#configs.through(registers.atsCheck, config, entry)),
    );
    return found;
  }

  #contextOf(slot: number): StreamContext {
    return this.#parts.universe.contextOf[slot] as StreamContext;
  }
}

function describe({ streamId, substream, page, address }: AtcEntry): string {
  const device = substream < 0 ? `StreamID ${streamId}` : `StreamID ${streamId}, PASID ${substream}`;
  const to = address < 0 ? 'anything' : `0x${address.toString(16)}`;
  return `(ATC of ${device}: 0x${(page * 4096).toString(16)} → ${to})`;
}
