import type { Failure } from '../../engine/failure.ts';
import type { Reached } from './outcome.ts';

/** Where a device's access to a page went after a step. */
export interface DmaObservation {
  /** "dev0"; see `Place`. */
  readonly device: string;
  readonly iova: number;
  readonly reached: Reached;
}

/** One step of the software, and what devices saw after it. The first one stands for the initial state: no agent. */
export interface EndToEndStep {
  readonly agent: string;
  readonly operation: string;
  readonly label: string;
  /** Empty while the devices are idle. */
  readonly dma: readonly DmaObservation[];
}

/** What was not as it must be. */
export interface EndToEndFinding extends DmaObservation {
  /** Index in `steps`. */
  readonly step: number;
  /** The promise that is broken. */
  readonly failure: Failure;
}

/** What a device did that the architecture does not permit. */
export interface DeviceDeviation {
  readonly step: number;
  /** One sentence. */
  readonly message: string;
}

/** The result of an end-to-end run. */
export type EndToEndResult =
  | { readonly verdict: 'not-possible'; /** The end of a sentence that begins with "it". */ readonly reason: string }
  | EndToEndObserved;

/** A run that took place. */
export interface EndToEndObserved {
  /**
   * `violation`: a DMA did what software had promised that it cannot. `deviation`: no such thing, but the device did
   * what the architecture does not permit. `holds`: neither; this device did not hold what would have been needed.
   */
  readonly verdict: 'violation' | 'deviation' | 'holds';
  /** Version line of the device. */
  readonly version: string;
  /** The first broken promise. The run ends there. */
  readonly violation: EndToEndFinding | undefined;
  /** Steps after which the devices began to make accesses; 0: from the initial state on. */
  readonly idleUntil: number;
  /** Whether the device left commands in the queue until software waited for them; else it carried them out at once. */
  readonly commandsWait: boolean;
  readonly steps: readonly EndToEndStep[];
  readonly deviations: readonly DeviceDeviation[];
  /**
   * The first promise that an SMMU with this one's features may break, and after which step. Undefined: no such SMMU can
   * show the failure (one of BBML 2, say, reports no conflict).
   */
  readonly permitted: { readonly step: number; readonly failure: Failure } | undefined;
  /** What else ended the software: use after free, deadlock, a command error of the architecture. */
  readonly failure: Failure | undefined;
  /** Set if the schedule did not fit at this step; the program went on by itself from there. */
  readonly misfit: number | undefined;
  /** Accesses made by devices, over all repetitions. */
  readonly accesses: number;
  /** Times that the schedule was run. */
  readonly repetitions: number;
}
