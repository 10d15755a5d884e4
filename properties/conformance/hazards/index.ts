/** Mistakes of device models that the device check must find. */
import { asidOfEightBits } from './asid-of-eight-bits.ts';
import { atcNotTold } from './atc-not-told.ts';
import { blockMask } from './block-mask.ts';
import { cdKey } from './cd-key.ts';
import { cdOutlivesSte } from './cd-outlives-ste.ts';
import { combinedSize } from './combined-size.ts';
import { globalStays } from './global-stays.ts';
import { ipaTablesStay } from './ipa-tables-stay.ts';
import { lateFill } from './late-fill.ts';
import { queueFullEarly } from './queue-full-early.ts';
import { splinterStays } from './splinter-stays.ts';
import { stageOneOutlivesVm } from './stage-one-outlives-vm.ts';
import { steRangeOverflow } from './ste-range-overflow.ts';
import { tableStays } from './table-stays.ts';
import { vmidOfEightBits } from './vmid-of-eight-bits.ts';
import type { DeviceHazard } from './hazard.ts';

export type { DeviceHazard } from './hazard.ts';

/** All of them. */
export const deviceHazards: readonly DeviceHazard[] = [
  asidOfEightBits,
  atcNotTold,
  blockMask,
  cdKey,
  cdOutlivesSte,
  combinedSize,
  globalStays,
  ipaTablesStay,
  lateFill,
  queueFullEarly,
  splinterStays,
  stageOneOutlivesVm,
  steRangeOverflow,
  tableStays,
  vmidOfEightBits,
];
