import type { StageTwoConfig, TranslateConfig } from '../configuration/lookup-config.ts';
import type { HoldTable } from '../holds.ts';
import { EVENT, EVENT_CLASS } from '../layout/event.ts';
import { walkable } from '../translation/nested/nested-walks.ts';
import { outputOf, type IpaPage, type IpaSpace } from '../translation/stage2/ipa-space.ts';
import type { StageTwo, StageTwoUse } from '../translation/stage2/stage-two.ts';
import type { AddressHolds } from '../translation/tag.ts';
import { ipaOf } from '../translation/walk-graph.ts';
import type { Leaf, WalkReader } from '../translation/walk-node.ts';
import type { InputAddress } from '../universe.ts';
import { mayConflict } from './conflict.ts';
import { PERMISSION, type FaultOutcome, type Outcome, type OutcomeTable, type StageTwoFault } from './outcome.ts';

/** What the outcomes of stage 2 are computed from. */
export interface StageTwoParts {
  readonly holds: HoldTable;
  readonly outcomes: OutcomeTable;
  readonly stageTwo: StageTwo;
  readonly conflicts: boolean;
  readonly nTHonoured: boolean;
}

/** Everything that stage 1 could allow. */
const ALL_PERMISSIONS = Object.values(PERMISSION).reduce((all, one) => all | one, 0);

/** What stage 2 adds to the outcomes of an access, or of the fetch of a CD. */
export class StageTwoOutcomes {
  readonly #parts: StageTwoParts;

  constructor(parts: StageTwoParts) {
    this.#parts = parts;
  }

  /** Outcomes of an access that goes to stage 2 with its input address. */
  direct({ stage2, override }: StageTwoConfig, address: InputAddress, add: (outcome: Outcome) => void): void {
    const { outcomes, stageTwo } = this.#parts;
    const page = stage2.space.page(address.page);
    const { faultMode } = stage2;
    stageTwo.forEachHeld(page, (leaf) => {
      const part = { first: ALL_PERMISSIONS, faultMode, ipa: page.va };
      const attributes = leaf.attributes << 8;
      const pa = outputOf(leaf, page.va);
      add(outcomes.translation(pa, leaf.permissions, attributes, faultMode, override, part));
    });
    this.#faults(stage2, page, { class: EVENT_CLASS.INPUT, ipa: page.va, after: undefined }, override, add);
  }

  /** Faults of stage 2 where a stage 1 walk reads a descriptor. */
  ofWalk(reader: WalkReader, { stage2, override }: TranslateConfig, add: (outcome: Outcome) => void): void {
    if (stage2 === undefined || reader.ipa === undefined) return;
    this.#walkFaults(stage2, reader.ipa, { class: EVENT_CLASS.TABLE, ipa: reader.pa, after: undefined }, override, add);
  }

  /** Faults of the fetch of a CD or L1CD at an IPA. */
  ofFetch(stage2: StageTwoUse, ipa: number, override: number, add: (outcome: FaultOutcome) => void): void {
    this.#walkFaults(stage2, stage2.space.pageAt(ipa), { class: EVENT_CLASS.CD, ipa, after: undefined }, override, add);
  }

  /** Faults of stage 2 where held leaves of stage 1 lead. */
  ofOutputs(
    holds: AddressHolds,
    { stage2, override, faultMode }: TranslateConfig,
    address: InputAddress,
    add: (outcome: Outcome) => void,
  ): void {
    if (stage2 === undefined) return;
    for (const leaf of holds.firstStage) {
      if (this.#parts.holds.state(leaf.cell) === 0) continue;
      const page = ipaOf(leaf, address, leaf.space as IpaSpace);
      const after = { permissions: leaf.permissions, faultMode };
      this.#faults(stage2, page, { class: EVENT_CLASS.INPUT, ipa: page.va, after }, override, add);
    }
  }

  #walkFaults(
    use: StageTwoUse,
    page: IpaPage,
    fault: StageTwoFault,
    override: number,
    add: (outcome: FaultOutcome) => void,
  ): void {
    const { outcomes, stageTwo } = this.#parts;
    stageTwo.forEachHeld(page, (leaf) => {
      if (!walkable(leaf)) add(outcomes.fault(EVENT.F_PERMISSION, use.faultMode, 0, override, fault));
    });
    this.#faults(use, page, fault, override, add);
  }

  #faults(
    use: StageTwoUse,
    page: IpaPage,
    fault: StageTwoFault,
    override: number,
    add: (outcome: FaultOutcome) => void,
  ): void {
    const { outcomes, stageTwo } = this.#parts;
    stageTwo.forEachFault(use, page, (event, fetchAddress) => {
      // Only the Translation-related faults obey S2R and S2S (§5.5).
      const mode = event === EVENT.F_WALK_EABT ? undefined : use.faultMode;
      add(outcomes.fault(event, mode, fetchAddress, override, fault));
    });
    if (this.#conflict(page)) add(outcomes.fault(EVENT.F_TLB_CONFLICT, undefined, 0, override, fault));
  }

  #conflict(page: IpaPage): boolean {
    const { conflicts, nTHonoured, stageTwo } = this.#parts;
    if (!conflicts) return false;
    const leaves: Leaf[] = [];
    stageTwo.forEachHeld(page, (leaf) => leaves.push(leaf));
    return mayConflict(leaves, leaves.length, nTHonoured);
  }
}
