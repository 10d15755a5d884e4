/** A confirmed deviation of a device: plain data, complete enough to replay it and to write a report from it. */
import type { Deviation, Side } from './deviation.ts';
import type { ConformanceProgram } from './program.ts';
import type { RuleId } from './rules.ts';

/** Devices that programs can be run on. */
export type ConformanceTarget = 'architecture' | 'builtin' | 'qemu-smmuv3';

/** A finding: minimised, classified and confirmed by two replays from a reset device. */
export interface ConformanceFinding {
  /** Identity: findings with the same one are the same. */
  readonly fingerprint: string;
  readonly target: ConformanceTarget;
  /** What the target says it is (version line of the binary). */
  readonly version: string;
  /** Seed of the run, and of the program within it (`programOfSeed`). */
  readonly seed: number;
  readonly programSeed: number;
  /** Rule broken, with its section and statement; undefined: not classified, to be investigated. */
  readonly rule: { readonly id: RuleId; readonly section: string; readonly statement: string } | undefined;
  /** The minimal program. */
  readonly program: ConformanceProgram;
  /** Its deviation: operation, answer, permitted set. */
  readonly deviation: Deviation;
  /** Which of two devices that were compared it is a finding of. */
  readonly side?: Side;
  /** Number of operations of the program that it was found with. */
  readonly operationsFrom: number;
  /** False if the budget of minimising ran out first. */
  readonly minimal: boolean;
  /** The program, line by line, in words: configuration, then operations. */
  readonly configurationText: readonly string[];
  readonly operationsText: readonly string[];
}
