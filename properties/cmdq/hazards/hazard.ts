import type { Hazard } from '../../family.ts';
import type { CmdqParts } from '../world.ts';

/** A hazard of this family: one of the two queues is replaced by a subclass. */
export interface CmdqHazard extends Hazard {
  readonly parts: Partial<CmdqParts>;
}

/** What a queue in disorder shows: which of these depends on what was in the entries before. */
export const DISORDER = [
  { monitor: 'cmdq', rule: 'command-stale' },
  { monitor: 'cmdq', rule: 'command-lost' },
  { monitor: 'cmdq', rule: 'entry-overwritten' },
  { monitor: 'cmdq', rule: 'prod-inconsistent' },
  { monitor: 'cmdq', rule: 'list-interleaved' },
  { monitor: 'cmdq', rule: 'data-late' },
  { monitor: 'cmdq', rule: 'sync-early' },
  { monitor: 'deadlock', rule: 'lost-wake-up' },
] as const;

/** A producer waits for ever. */
export const HANG = [{ monitor: 'deadlock', rule: 'lost-wake-up' }, ...DISORDER] as const;

/** Where the algorithm is. */
export const CITATION = 'arm_smmu_cmdq_issue_cmdlist(), Linux 5.4 and later';
