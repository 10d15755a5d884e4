import { FULL_FEATURES, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { whyNot } from '../../properties/asid/end-to-end.ts';
import type { SoftwareTrace } from '../format.ts';

/** What matters here of QEMU's SMMUv3, in every version: no SubstreamIDs. A replay asks the device itself. */
const expectedFeatures: SmmuFeatures = { ...FULL_FEATURES, ssidSize: 0 };

/** Whether a trace of software can also run on a live device: the target, or why not; undefined if it is not known. */
export function liveDevice(trace: SoftwareTrace): { target: string } | { why: string } | undefined {
  if (trace.family !== 'asid') return undefined;
  const why = whyNot(trace.configuration, trace.program, expectedFeatures);
  return why === undefined ? { target: 'qemu-smmuv3' } : { why: `On QEMU's SMMUv3 it cannot run: it ${why}.` };
}
