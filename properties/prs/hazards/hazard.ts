import type { IopfParts } from '../../../impl/kernel/iopf/index.ts';
import type { Hazard } from '../../family.ts';

/** A hazard of this family: a mistake as a replaced part of the kernel. */
export interface PrsHazard extends Hazard {
  readonly parts: Partial<IopfParts>;
}

const LINUX = 'Linux 6.12';

/** "intel_iommu_drain_pasid_prq(), Linux 6.12; comment of iopf_queue_flush_dev()". */
export function inKernel(routine: string, more = ''): string {
  return `${routine}, ${LINUX}${more === '' ? '' : `; ${more}`}`;
}

/** What a report says of a rule of the monitor. */
export function rule(name: string): { readonly monitor: string; readonly rule: string } {
  return { monitor: 'page-requests', rule: name };
}
