/** Counts of a run, and the conditions that it must sometimes reach to mean anything. */
import type { OperationKind } from './operation.ts';
import type { GeneratedProgram } from './generate.ts';
import type { RunResult } from './runner.ts';
import { witnessNames } from './witnesses.ts';
import type { Witness } from './witnesses.ts';

/** What a run has done so far. */
export interface ConformanceStatistics {
  programs: number;
  operations: number;
  /** Reads and writes checked. */
  accesses: number;
  /** Of these, those that the architecture leaves open. */
  open: number;
  /** Programs that showed a deviation. */
  deviating: number;
  /** Deviations that did not come back on replay from a reset device; they are not reported. */
  vanished: number;
  /** Processes started again after the device was lost. */
  restarts: number;
  /** Programs run to minimise and to confirm. */
  minimisingRuns: number;
  readonly operationMix: Partial<Record<OperationKind, number>>;
  readonly features: Record<string, number>;
  readonly witnesses: Record<Witness, number>;
}

/** All zero. */
export const emptyStatistics = (): ConformanceStatistics => ({
  programs: 0,
  operations: 0,
  accesses: 0,
  open: 0,
  deviating: 0,
  vanished: 0,
  restarts: 0,
  minimisingRuns: 0,
  operationMix: {},
  features: {},
  witnesses: Object.fromEntries(witnessNames.map((name) => [name, 0])) as Record<Witness, number>,
});

/** Adds a program and its result. */
export const count = (statistics: ConformanceStatistics, program: GeneratedProgram, result: RunResult): void => {
  statistics.programs++;
  statistics.operations += program.operations.length;
  statistics.accesses += result.accesses;
  statistics.open += result.open;
  if (result.deviations.length > 0) statistics.deviating++;
  for (const { kind } of program.operations) statistics.operationMix[kind] = (statistics.operationMix[kind] ?? 0) + 1;
  for (const feature of program.features) statistics.features[feature] = (statistics.features[feature] ?? 0) + 1;
  for (const witness of result.witnesses) statistics.witnesses[witness]++;
};
