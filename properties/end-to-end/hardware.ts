import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { Effect } from './effects.ts';
import type { Place } from './family.ts';
import type { Reached } from './outcome.ts';

/** How a command queue stopped: CMDQ_CONS.ERR, and where it stands when it should have reached CMDQ_PROD. */
export interface CommandTrouble {
  readonly error: number;
  readonly consumed: number;
  readonly prod: number;
}

/** A real SMMU with devices behind it, under the kernel of a family. */
export interface Hardware {
  /** What it says of itself, in a line. */
  readonly version: string;
  readonly features: SmmuFeatures;
  /** Whether it reads all of several concatenated tables; see `EndToEndOptions`. */
  readonly concatenatedTables: boolean;
  /** Whether its devices' accesses are privileged ones. */
  readonly privileged: boolean;
  /** Whether commands can be left in the queue until software waits for them. */
  readonly commandsCanWait: boolean;
  /**
   * Back to the state of power-on, and then what the kernel did to its hardware from the boot on; see `apply`.
   *
   * @param commandsWait commands are left in the queue until software waits for them; else they are carried out at once.
   */
  boot(effects: readonly Effect[], commandsWait: boolean): Promise<CommandTrouble | undefined>;
  /** Does what software did, in its order. Returns how the command queue stopped, if it did. */
  apply(effects: readonly Effect[]): Promise<CommandTrouble | undefined>;
  /**
   * Lets a device write to a page, and says where that went. Memory is afterwards as it was before.
   *
   * @returns undefined if the device does not make such an access now: its ATS is off, or it was granted nothing.
   */
  dma(place: Place): Promise<Reached | undefined>;
  /** Ends it. */
  stop(): Promise<void>;
}

/** The bytes of a page of every family here. */
export const pageBytes = 4096;
