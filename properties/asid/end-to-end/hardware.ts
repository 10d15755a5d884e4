import type { SmmuFeatures } from '../../../model/architecture/arm/features.ts';
import type { Effect } from './effects.ts';
import type { Reached } from './outcome.ts';

/** How a command queue stopped: CMDQ_CONS.ERR, and where it stands when it should have reached CMDQ_PROD. */
export interface CommandTrouble {
  readonly error: number;
  readonly consumed: number;
  readonly prod: number;
}

/** A real SMMU with devices behind it, under the kernel of this family. */
export interface Hardware {
  /** What it says of itself, in a line. */
  readonly version: string;
  readonly features: SmmuFeatures;
  /** Back to the state of power-on, and then what the kernel did to its hardware from the boot on; see `apply`. */
  boot(effects: readonly Effect[]): Promise<CommandTrouble | undefined>;
  /** Does what software did, in its order. Returns how the command queue stopped, if it did. */
  apply(effects: readonly Effect[]): Promise<CommandTrouble | undefined>;
  /** Lets a device write to a page, and says where that went. Memory is afterwards as it was before. */
  dma(streamId: number, iova: number): Promise<Reached>;
}
