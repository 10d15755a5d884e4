import type { TlbInvalidation } from '../commands/invalidation.ts';
import type { PendingCommands } from '../commands/pending.ts';
import type { HoldTable } from '../holds.ts';
import type { PhysicalMemory } from '../memory.ts';
import { CombinedEntries } from './nested/combined-entries.ts';
import { NestedWalks } from './nested/nested-walks.ts';
import { StageTwo } from './stage2/stage-two.ts';
import type { TagTable } from './tag.ts';
import { Tlb } from './tlb.ts';
import { WalkGraph } from './walk-graph.ts';
import type { WalkReader } from './walk-node.ts';

/** What translation needs of the rest of the model. */
export interface TranslationParts {
  readonly memory: PhysicalMemory;
  readonly holds: HoldTable;
  readonly pending: PendingCommands;
  readonly tags: TagTable;
  /** Told of each descriptor address that a walk may read, once for each reader. */
  readonly watch: (pa: number, stage: 1 | 2, reader: WalkReader) => void;
  /** Told of each input address for which something may have changed. */
  readonly touched: (address: number) => void;
}

/** Both stages of translation, and how they go together. */
export class Translation {
  readonly walks: WalkGraph;
  readonly stageTwo: StageTwo;
  readonly combined: CombinedEntries;
  /** Stage 1, and combined entries. */
  readonly tlb: Tlb;

  constructor({ memory, holds, pending, tags, watch, touched }: TranslationParts) {
    const watchOne = (pa: number, reader: WalkReader): void => watch(pa, 1, reader);
    this.walks = new WalkGraph(memory, holds, tags, watchOne);
    this.stageTwo = new StageTwo(memory, holds, pending, tags, (pa, reader) => watch(pa, 2, reader));
    this.combined = new CombinedEntries(holds, watchOne);
    const nested = new NestedWalks(this.combined, this.stageTwo, holds, pending);
    this.tlb = new Tlb(this.walks, holds, pending, touched, { nested });
  }

  /** Makes all permitted walks again (walks were not permitted for a while). */
  walkAll(): void {
    this.stageTwo.tlb.walkAll();
    this.tlb.walkAll();
  }

  /** See `Tlb.invalidate`. Stage 2 comes first: then it is known what stage 1 can be read again through. */
  invalidate(command: TlbInvalidation, mark: number, walks: boolean): number {
    const ofStageTwo = this.stageTwo.used ? this.stageTwo.tlb.invalidate(command, mark, walks) : 0;
    return ofStageTwo + this.tlb.invalidate(command, mark, walks);
  }

  /** See `Tlb.complete`. */
  complete(sequence: number): void {
    this.stageTwo.tlb.complete(sequence);
    this.tlb.complete(sequence);
  }
  /** See `Tlb.completeBroadcasts`. */
  completeBroadcasts(broadcasts: number): void {
    this.stageTwo.tlb.completeBroadcasts(broadcasts);
    this.tlb.completeBroadcasts(broadcasts);
  }
}
