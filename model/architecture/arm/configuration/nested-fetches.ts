import type { OutcomeTable } from '../outcomes/outcome.ts';
import type { StageTwoOutcomes } from '../outcomes/stage-two-outcomes.ts';
import { walkable } from '../translation/nested/nested-walks.ts';
import { outputOf } from '../translation/stage2/ipa-space.ts';
import type { StageTwo } from '../translation/stage2/stage-two.ts';
import type { ConfigPointer } from './config-cache.ts';
import type { LookupConfig, LookupConfigs } from './lookup-config.ts';
import type { StageOneEntry } from './stream-entry.ts';

/** What fetches through stage 2 need of the rest of the model. */
export interface NestedFetchParts {
  readonly configs: LookupConfigs;
  readonly outcomes: OutcomeTable;
  readonly stageTwo: StageTwo;
  readonly stageTwoOutcomes: StageTwoOutcomes;
}

/**
 * Fetches of CDs and L1CDs under an STE with both stages: their addresses are IPAs, which stage 2 translates under the
 * VMID of the STE (IHI 0070 §3.3.2). A CD in the configuration cache does not remember how it was found: maintenance
 * of the TLB does not reach it.
 */
export class NestedFetches {
  readonly #parts: NestedFetchParts;

  constructor(parts: NestedFetchParts) {
    this.#parts = parts;
  }

  /** The pointers that a pointer to an IPA makes: one for each translation of it that is held and allows reads. */
  through(entry: StageOneEntry, pointer: ConfigPointer): ConfigPointer[] {
    const { stageTwo } = this.#parts;
    if (entry.stage2 === undefined) return [pointer];
    const page = stageTwo.use(entry.stage2).space.pageAt(pointer.address);
    stageTwo.serveStream(page, pointer.target.streamId);
    const pointers: ConfigPointer[] = [];
    stageTwo.forEachHeld(page, (leaf) => {
      if (walkable(leaf)) pointers.push({ ...pointer, address: outputOf(leaf, pointer.address) });
    });
    return pointers;
  }

  /** The faults of a fetch at an IPA. */
  addFaults(entry: StageOneEntry, ipa: number, found: LookupConfig[]): void {
    const { configs, stageTwo, stageTwoOutcomes } = this.#parts;
    if (entry.stage2 === undefined) return;
    const use = stageTwo.use(entry.stage2);
    stageTwoOutcomes.ofFetch(use, ipa, entry.override, (outcome) => found.push(configs.refusal(outcome)));
  }
}
