import type { Store } from '../../engine/store.ts';
import type { ContractEvent, EventSink } from './events.ts';
import type { CoveredEntry, InvalidationMonitor, MaintenanceKind } from './invalidation.ts';
import { TableMonitor, type TableUse } from './tables.ts';
import { TagMonitor, type TagUse } from './tags.ts';
import type { Observed } from './translation-state.ts';
import { TranslationMonitor } from './translation.ts';
import type { Verdict, Violation } from './violation.ts';
import type { ContractWorld } from './world.ts';

/** What hardware may do now. A slot is stream index × number of pages + page index. */
export interface OutcomeSource<Outcome> {
  /** The slots whose outcomes have changed since this was last asked; one too many does no harm. */
  takeDirtySlots(): readonly number[];
  /** Everything that an access of the slot's stream to the slot's page may come to. */
  outcomes(slot: number): readonly Outcome[];
  /** A small number that is the same whenever the outcomes of a slot are the same. */
  outcomeSet(slot: number): number;
}

/** What a contract stands on. */
export interface ContractParts<Outcome> {
  readonly store: Store;
  readonly world: ContractWorld;
  /** The architecture's view of tags and table pages. */
  readonly use: TagUse & TableUse;
  /** An outcome of the architecture in the words of the contract; see `observe`. Pure. */
  readonly observe: (outcome: Outcome) => Observed;
  /** Called for each broken promise. */
  readonly report: (violation: Violation) => void;
  /** Who is charged for what TLB maintenance takes away; default: nobody looks. Tell of it by `covered`. */
  readonly invalidation?: InvalidationMonitor;
}

/**
 * All monitors of a world: what its software promises, folded from events, and the check that hardware cannot do
 * anything else. `emit` belongs inside the step that makes the event true, `check` after each step.
 */
export class Contract<Outcome> implements EventSink {
  readonly translation: TranslationMonitor;
  readonly tags: TagMonitor;
  readonly tables: TableMonitor;
  readonly #parts: ContractParts<Outcome>;
  readonly #pages: number;
  /** The results in each outcome set: a cache. */
  readonly #observed: (readonly Observed[])[] = [];

  constructor(parts: ContractParts<Outcome>) {
    const { store, world, use } = parts;
    this.translation = new TranslationMonitor(store, world);
    this.tags = new TagMonitor(store, world, use);
    this.tables = new TableMonitor(use);
    this.#parts = parts;
    this.#pages = world.pages.length;
  }

  /** Folds an event into every monitor. */
  emit(event: ContractEvent): void {
    this.translation.on(event);
    this.#judge(this.tags.on(event));
    this.#judge(this.tables.on(event));
    this.#parts.invalidation?.on(event);
  }

  /** TLB maintenance that is executed in this step covers an entry of the SMMU. */
  covered(entry: CoveredEntry, by: MaintenanceKind): void {
    this.#judge(this.#parts.invalidation?.covered(entry, by));
  }

  /**
   * Looks at each slot where hardware may now do something new, or where less is permitted than before. Sound only if
   * it is called after every step, with the same architecture: a slot that neither side touched keeps its verdict.
   */
  check(architecture: OutcomeSource<Outcome>): void {
    this.#parts.invalidation?.settle();
    const dirty = architecture.takeDirtySlots();
    for (let at = 0; at < dirty.length; at++) this.#checkSlot(dirty[at] as number, architecture);
    const { narrowed } = this.translation;
    if (narrowed.count === 0) return;
    for (let at = 0; at < narrowed.count; at++) this.#checkSlot(narrowed.at(at), architecture);
    narrowed.clear();
  }

  #checkSlot(slot: number, architecture: OutcomeSource<Outcome>): void {
    const page = slot % this.#pages;
    const stream = (slot - page) / this.#pages;
    const set = architecture.outcomeSet(slot);
    const results = (this.#observed[set] ??= architecture.outcomes(slot).map(this.#parts.observe));
    for (let at = 0; at < results.length; at++)
      this.#judge(this.translation.allows(stream, page, results[at] as Observed));
  }

  #judge(verdict: Verdict): void {
    if (verdict !== undefined) this.#parts.report(verdict);
  }
}
