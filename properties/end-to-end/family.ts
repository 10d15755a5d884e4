/** What a family of software must tell so that its programs can run on a real device. */
import type { Failure } from '../../engine/failure.ts';
import type { System } from '../../engine/system.ts';
import type { MemoryRegion } from '../../impl/platform/index.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { ArchitectureOutcome } from '../../model/contract/observe.ts';
import type { Configuration, Family, Program } from '../family.ts';
import type { HardwareTap } from './effects.ts';

/** What an end-to-end run needs of a world otherwise than the software check. */
export interface EndToEndOptions {
  /** What the SMMU offers; default: everything that the family needs. */
  readonly features?: SmmuFeatures;
  /**
   * Default: true. False: the SMMU reads only the first of the concatenated tables at the start of stage 2 (Arm ARM
   * D8.2.2) as it must, so a family that uses others has to keep to that one. Programs have the same steps either way.
   */
  readonly concatenatedTables?: boolean;
  /** Told of everything that the software does to its hardware, from the boot on. */
  readonly tap?: HardwareTap;
  /** Called for each promise that the architecture may break; default: it ends the run. */
  readonly onViolation?: (violation: Failure) => void;
}

/** An access that a device can make, and its slot in the architecture's universe. */
export interface Place {
  readonly slot: number;
  /** "dev0", "dev0 mm1" with a PASID, "dev0 ATC" by way of its translation cache. */
  readonly device: string;
  readonly streamId: number;
  /** SubstreamID, or -1 for none. */
  readonly substream: number;
  readonly iova: number;
  /** The device asks for a translation and uses what it has been given. Only while ATS is on. */
  readonly ats: boolean;
}

/** A world of a family over the architecture, which also drives a device. */
export interface EndToEndWorld {
  readonly architecture: SmmuV3;
  /** Every access that its devices may make. */
  readonly places: readonly Place[];
  /** See `World.load`. */
  load(program: Program): System;
  /** What the contract says if an access of a slot comes to `outcome` now; undefined: it is permitted. */
  judge(slot: number, outcome: ArchitectureOutcome): Failure | undefined;
}

/** Where a family's software has its things, and where DMA may land. */
export interface HardwareLayout {
  /** Memory of tables, queues and structures. */
  readonly memory: readonly MemoryRegion[];
  /** Physical addresses of the pages that devices are led to. */
  readonly pages: readonly number[];
}

/** A family whose programs run on real devices. */
export interface EndToEndFamily {
  readonly family: Family;
  /** The same without what no device of QEMU can do: what is drawn at random for it. */
  readonly onQemu: Family;
  /** What an SMMU must offer for the software in this configuration; our own device is given just that. */
  features(configuration: Configuration): SmmuFeatures;
  layout(configuration: Configuration): HardwareLayout;
  /**
   * Why a program cannot run on a device, as the end of a sentence that begins with "it"; undefined if it can.
   *
   * @throws RangeError for an operation or a configuration that the family does not have.
   */
  whyNot(configuration: Configuration, program: Program, features: SmmuFeatures): string | undefined;
  /** @throws RangeError for a hazard or a configuration that there is not. */
  world(configuration: Configuration, hazard: string | undefined, options: EndToEndOptions): EndToEndWorld;
}
