/** How programs of this family run on real devices. */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { EndToEndFamily, HardwareLayout } from '../end-to-end/family.ts';
import type { Configuration, Family, Operation, Program } from '../family.ts';
import { asidConfiguration, blockFramePa, framePa, FRAMES, kernelConfig, PAGES } from './configuration.ts';
import { asid, hazardNamed } from './index.ts';
import { asidOperation, describe, type AsidOperation } from './operations.ts';
import { asidFeatures, AsidWorld } from './world.ts';

/** log2 of the page size of this family's kernel. */
const granule = 12;

/** See `EndToEndFamily.whyNot`. */
export function whyNot(configuration: Configuration, program: Program, features: SmmuFeatures): string | undefined {
  const { bound, ril } = asidConfiguration(configuration);
  const operations = program.agents.flatMap((agent) => agent.operations.map((operation) => asidOperation(operation)));
  const withSubstream = operations.find(needsSubstream);
  if (features.ssidSize === 0 && (bound || withSubstream !== undefined)) {
    const what = withSubstream === undefined ? 'a process bound to a device' : describe(withSubstream);
    // A PCI device of QEMU puts no PASID on its requests, so even an SMMU that had them would not be enough.
    return `needs SubstreamIDs for ${what}, and no device of QEMU makes requests with one (IDR1.SSIDSIZE is ${features.ssidSize})`;
  }
  if (ril && !features.ril) return 'needs range invalidation, which this SMMU does not have (IDR3.RIL is 0)';
  if (!features.granules.includes(granule))
    return 'needs pages of 4 KiB, which this SMMU does not have (IDR5.GRAN4K is 0)';
  return undefined;
}

/** Whether an operation makes or prepares requests with a SubstreamID. */
function needsSubstream(operation: AsidOperation): boolean {
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

/** The family without what no device of QEMU can do: nothing is bound, nothing has a SubstreamID. */
export const asidWithoutSubstreams: Family = {
  ...asid,
  configurations: asid.configurations.map((configuration) => ({ ...configuration, bound: false })),
  programs: (configuration) =>
    asid
      .programs(asidConfiguration(configuration))
      .map(({ agents }) => ({
        agents: agents
          .map((agent) => ({ ...agent, operations: agent.operations.filter(isPossible) }))
          .filter(({ operations }) => operations.length > 0),
      }))
      .filter(({ agents }) => agents.length > 0),
};

function isPossible(operation: Operation): boolean {
  return !needsSubstream(asidOperation(operation));
}

function layout(configuration: Configuration): HardwareLayout {
  const frames = Array.from({ length: FRAMES }, (_, index) => index);
  const blocks = frames.flatMap((index) => PAGES.map((page) => blockFramePa(index) + page));
  const { memory } = kernelConfig(asidConfiguration(configuration));
  return { memory: [memory], pages: [...frames.map(framePa), ...blocks] };
}

/** Family `asid` on devices. */
export const asidEndToEnd: EndToEndFamily = {
  family: asid,
  onQemu: asidWithoutSubstreams,
  features: (configuration) => asidFeatures(asidConfiguration(configuration)),
  layout,
  whyNot,
  world: (configuration, hazard, options) =>
    new AsidWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts, options),
};
