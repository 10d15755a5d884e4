import type { SmmuFeatures } from '../../../model/architecture/arm/features.ts';
import type { Program } from '../../family.ts';
import type { AsidConfiguration } from '../configuration.ts';
import { asidOperation, describe, type AsidOperation } from '../operations.ts';

/** log2 of the page size of this family's kernel. */
const granule = 12;

/**
 * Why a program cannot run on a device, as the end of a sentence that begins with "it"; undefined if it can.
 *
 * @throws RangeError for an operation that the family does not have.
 */
export function whyNot(configuration: AsidConfiguration, program: Program, features: SmmuFeatures): string | undefined {
  const operations = program.agents.flatMap((agent) => agent.operations.map((operation) => asidOperation(operation)));
  const withSubstream = operations.find(needsSubstream);
  if (configuration.bound || withSubstream !== undefined) {
    const what = withSubstream === undefined ? 'a process bound to a device' : describe(withSubstream);
    // A PCI device of QEMU puts no PASID on its requests, so even an SMMU that had them would not be enough.
    return `needs SubstreamIDs for ${what}, and no device of QEMU makes requests with one (IDR1.SSIDSIZE is ${features.ssidSize})`;
  }
  if (configuration.ril && !features.ril)
    return 'needs range invalidation, which this SMMU does not have (IDR3.RIL is 0)';
  if (!features.granules.includes(granule))
    return 'needs pages of 4 KiB, which this SMMU does not have (IDR5.GRAN4K is 0)';
  return undefined;
}

/** Whether an operation makes or prepares requests with a SubstreamID. */
export function needsSubstream(operation: AsidOperation): boolean {
  switch (operation.op) {
    case 'bind':
    case 'unbind':
      return true;
    case 'dma':
      return operation.process >= 0;
    default:
      return false;
  }
}
