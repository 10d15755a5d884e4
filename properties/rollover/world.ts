import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import { CpuWorld } from '../cpu-world.ts';
import type { Configuration, Operation } from '../family.ts';
import {
  describe,
  mmName,
  rolloverConfiguration,
  rolloverOperation,
  type RolloverConfiguration,
  type RolloverOperation,
} from './configuration.ts';
import { explain } from './explain.ts';
import { NOTES, RolloverKernel, type RolloverParts } from './kernel.ts';
import { TABLES } from './pages.ts';

/** What a run should reach. */
export const WITNESSES: readonly string[] = NOTES;

/** CPUs that switch between processes, with the ASID allocator, and a contract over what they can reach. */
export class RolloverWorld extends CpuWorld<RolloverConfiguration, RolloverOperation> {
  /** @param parts replaced routines: a hazard. */
  constructor(configuration: Configuration, parts: Partial<RolloverParts> = {}) {
    const known = rolloverConfiguration(configuration);
    const tables = { base: TABLES, frames: known.mms * known.levels };
    super(known, tables, (machine, memories) => new RolloverKernel(machine, memories, known, parts));
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure);
  }

  describeOperation(operation: Operation): string {
    return describe(rolloverOperation(operation));
  }

  protected known(operation: Operation): RolloverOperation {
    const known = rolloverOperation(operation);
    const { mms, pages } = this.configuration;
    if ('mm' in known && known.mm >= mms) throw new RangeError(`there is no process ${mmName(known.mm)}`);
    if ('page' in known && known.page >= pages) throw new RangeError(`there is no page ${known.page}`);
    return known;
  }
}
