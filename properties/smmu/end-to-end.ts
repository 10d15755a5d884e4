/** How programs of this family run on real devices. */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { blockFramePa, framePa, FRAMES } from '../asid/configuration.ts';
import type { EndToEndFamily, HardwareLayout } from '../end-to-end/family.ts';
import type { Configuration, Family, Program } from '../family.ts';
import { kernelConfig, nestingConfig, PAGES, smmuConfiguration } from './configuration.ts';
import { hazardNamed, smmu } from './index.ts';
import { smmuOperation } from './operations.ts';
import { smmuFeatures, SmmuWorld } from './world.ts';

/** log2 of the page size of this family's kernel and guest. */
const granule = 12;

/** See `EndToEndFamily.whyNot`. */
export function whyNot(configuration: Configuration, program: Program, features: SmmuFeatures): string | undefined {
  const { ats, ril } = smmuConfiguration(configuration);
  for (const { operations } of program.agents) for (const operation of operations) smmuOperation(operation);
  if (!features.stage1 || !features.stage2)
    return 'needs both stages of translation, which this SMMU does not have (QEMU has them from 9.2 on, with machine virt-9.2 or later)';
  if (ats && !features.ats) return 'needs ATS, and no device of QEMU asks its SMMUv3 for translations (IDR0.ATS is 0)';
  if (ril && !features.ril) return 'needs range invalidation, which this SMMU does not have (IDR3.RIL is 0)';
  if (!features.granules.includes(granule))
    return 'needs pages of 4 KiB, which this SMMU does not have (IDR5.GRAN4K is 0)';
  return undefined;
}

/** The family without what no device of QEMU can do: no device has a translation cache. */
export const smmuWithoutAts: Family = {
  ...smmu,
  configurations: smmu.configurations.map((configuration) => ({ ...configuration, ats: false })),
};

function layout(configuration: Configuration): HardwareLayout {
  const known = smmuConfiguration(configuration);
  const frames = Array.from({ length: FRAMES }, (_, index) => index);
  const blocks = frames.flatMap((index) => PAGES.map((page) => blockFramePa(index) + page));
  return {
    memory: [kernelConfig(known).memory, nestingConfig(known).guestMemory],
    pages: [...frames.map(framePa), ...blocks],
  };
}

/** Family `smmu` on devices. */
export const smmuEndToEnd: EndToEndFamily = {
  family: smmu,
  onQemu: smmuWithoutAts,
  features: (configuration) => smmuFeatures(smmuConfiguration(configuration)),
  layout,
  whyNot,
  world: (configuration, hazard, options) =>
    new SmmuWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts, options),
};
