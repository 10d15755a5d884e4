import type { StageTwoConfig } from '../configuration/lookup-config.ts';
import type { HoldTable } from '../holds.ts';
import { EVENT } from '../layout/event.ts';
import { outputOf, type IpaPage } from '../translation/stage2/ipa-space.ts';
import type { StageTwoUse } from '../translation/stage2/stage-two.ts';
import type { Translation } from '../translation/translation.ts';
import type { Leaf, WalkNode } from '../translation/walk-node.ts';
import type { InputAddress, StreamContext } from '../universe.ts';
import { describeLeaf, hex } from './describe.ts';
import type { OutcomeSource } from './held-queries.ts';
import type { FaultOutcome, Outcome } from './outcome.ts';

/** What outcomes of stage 2 are explained by. */
export interface StageTwoSourceParts {
  readonly holds: HoldTable;
  readonly translation: Translation;
}

/** Why stage 2 permits an outcome. */
export class StageTwoSources {
  readonly #parts: StageTwoSourceParts;

  constructor(parts: StageTwoSourceParts) {
    this.#parts = parts;
  }

  /** Of an access that goes to stage 2 with its input address. */
  direct(
    _context: StreamContext,
    { stage2, beyond }: StageTwoConfig,
    address: InputAddress,
    outcome: Outcome,
  ): OutcomeSource[] {
    const { holds, translation } = this.#parts;
    if (outcome === beyond) return [{ text: `the input address is beyond the IPA size`, readFrom: [] }];
    const page = stage2.space.page(address.page);
    if (outcome.kind === 'fault') return this.fault(stage2, outcome, page.va);
    const sources: OutcomeSource[] = [];
    translation.stageTwo.forEachHeld(page, (leaf) => {
      if (outcome.kind === 'translation' && outputOf(leaf, page.va) === outcome.pa)
        sources.push({ text: describeLeaf(holds, leaf).text, readFrom: pathToLeaf(leaf) });
    });
    return sources;
  }

  /** Of a fault of stage 2 at an IPA. */
  fault(use: StageTwoUse, { event }: FaultOutcome, ipa: number): OutcomeSource[] {
    const { holds, translation } = this.#parts;
    const { stageTwo } = translation;
    const page: IpaPage = use.space.pageAt(ipa);
    const sources: OutcomeSource[] = [];
    // These are the business of entries that are held.
    if (event === EVENT.F_PERMISSION || event === EVENT.F_TLB_CONFLICT)
      stageTwo.forEachHeld(page, (leaf) =>
        sources.push({ text: describeLeaf(holds, leaf).text, readFrom: pathToLeaf(leaf) }),
      );
    const first = use.start.readerOf[page.index];
    const held = page.holds.readers.filter((reader) => stageTwo.walks.stateOf(reader.node) !== 0);
    for (const reader of first === undefined ? held : [first, ...held])
      if (stageTwo.walks.resultOf(reader).event === event)
        sources.push({
          text: `the stage 2 descriptor at ${hex(reader.pa)} for IPA ${hex(ipa)}, read in the table at ${hex(reader.node.table)} (level ${reader.node.tableLevel})`,
          readFrom: [...pathTo(reader.node), reader.pa],
        });
    if (first === undefined && event === EVENT.F_TRANSLATION)
      sources.push({ text: `IPA ${hex(ipa)} is beyond the input range of stage 2`, readFrom: [] });
    return sources;
  }
}

/** Addresses of the descriptors that led to a table, as first found. */
export function pathTo(node: WalkNode): number[] {
  const [producer] = node.producers;
  return producer === undefined ? [] : [...pathTo(producer.node), node.descriptorPa];
}

/** Addresses of the descriptors that led to a leaf, as first found; those of stage 2 last. */
export function pathToLeaf({ table, descriptorPa, parts }: Leaf): number[] {
  const own = [...pathTo(table), descriptorPa];
  return parts === undefined ? own : [...own, ...pathToLeaf(parts.second)];
}
