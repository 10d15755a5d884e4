import type { Store } from '../../engine/store.ts';
import type { ContractEvent, EventSink } from './events.ts';
import type { SlotSet } from './slot-set.ts';
import { TableMonitor, type TableUse } from './tables.ts';
import { TagMonitor, type TagUse } from './tags.ts';
import type { Observed } from './translation-state.ts';
import { TranslationMonitor } from './translation.ts';
import type { Verdict, Violation } from './violation.ts';
import type { ContractWorld } from './world.ts';

/**
 * What hardware may do now, as the contract asks for it. A slot is stream index × number of pages + page index.
 *
 * @typeParam Outcome the architecture's own outcomes; equal ones have equal ids, which are small.
 */
export interface OutcomeSource<Outcome extends { readonly id: number }> {
  /** The slots whose outcomes may have changed; the contract clears it when it has looked. */
  readonly changed: Pick<SlotSet, 'count' | 'at' | 'clear'>;
  /** Everything that an access of the slot's stream to the slot's page may come to. */
  outcomes(slot: number): readonly Outcome[];
  /** An outcome in the words of the contract. Asked once for each id. */
  observe(outcome: Outcome): Observed;
}

/** What a contract stands on. */
export interface ContractParts {
  readonly store: Store;
  readonly world: ContractWorld;
  /** The architecture's view of tags and table pages. */
  readonly use: TagUse & TableUse;
  /** Called for each broken promise. */
  readonly report: (violation: Violation) => void;
}

/**
 * All monitors of a world: what its software promises, folded from events, and the check that hardware cannot do
 * anything else. `emit` belongs inside the step that makes the event true, `check` after each step.
 */
export class Contract<Outcome extends { readonly id: number }> implements EventSink {
  readonly translation: TranslationMonitor;
  readonly tags: TagMonitor;
  readonly tables: TableMonitor;
  readonly #pages: number;
  /** What `observe` said, by the outcome's id. */
  readonly #observed: Observed[] = [];
  readonly #report: (violation: Violation) => void;

  constructor({ store, world, use, report }: ContractParts) {
    this.translation = new TranslationMonitor(store, world);
    this.tags = new TagMonitor(store, world, use);
    this.tables = new TableMonitor(use);
    this.#pages = world.pages.length;
    this.#report = report;
  }

  /** Folds an event into every monitor. */
  emit(event: ContractEvent): void {
    this.translation.on(event);
    this.#judge(this.tags.on(event));
    this.#judge(this.tables.on(event));
  }

  /**
   * Looks at each slot where hardware may now do something new, or where less is permitted than before. Sound only if
   * it is called after every step: a slot that neither side touched keeps its verdict.
   */
  check(architecture: OutcomeSource<Outcome>): void {
    const { changed } = architecture;
    const { narrowed } = this.translation;
    if (changed.count !== 0) this.#checkSlots(changed, architecture);
    if (narrowed.count !== 0) this.#checkSlots(narrowed, architecture);
  }

  #checkSlots(slots: OutcomeSource<Outcome>['changed'], architecture: OutcomeSource<Outcome>): void {
    const { count } = slots;
    for (let position = 0; position < count; position++) this.#checkSlot(slots.at(position), architecture);
    slots.clear();
  }

  #checkSlot(slot: number, architecture: OutcomeSource<Outcome>): void {
    const page = slot % this.#pages;
    const stream = (slot - page) / this.#pages;
    const outcomes = architecture.outcomes(slot);
    for (let index = 0; index < outcomes.length; index++) {
      const outcome = outcomes[index] as Outcome;
      const observed = (this.#observed[outcome.id] ??= architecture.observe(outcome));
      this.#judge(this.translation.allows(stream, page, observed));
    }
  }

  #judge(verdict: Verdict): void {
    if (verdict !== undefined) this.#report(verdict);
  }
}
