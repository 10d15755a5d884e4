import type { KernelParts } from '../../../../impl/kernel/index.ts';
import type { Hazard } from '../../../family.ts';

/** A hazard of this family: the writer of configuration entries is replaced by a subclass. */
export interface EntriesHazard extends Hazard {
  readonly parts: Pick<KernelParts, 'configWriter'>;
}

/** What a hardware that mixes versions of words shows. */
export const MIXED = [
  { monitor: 'entry', rule: 'mixed-configuration' },
  { monitor: 'entry', rule: 'refused-while-hitless' },
  { monitor: 'entry', rule: 'unpermitted-outcome' },
] as const;

/** What hardware shows that was not told, or not in time. */
export const STALE = [{ monitor: 'entry', rule: 'stale-configuration' }, ...MIXED] as const;

/** Where the order comes from. */
export const CITATION = 'arm_smmu_write_entry(), Linux 6.9 and later; IHI 0070 §3.21.3';
