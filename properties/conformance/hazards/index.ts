/** Mistakes of device models that the device check must find. */
import { asidOfEightBits } from './asid-of-eight-bits.ts';
import { atcNotTold } from './atc-not-told.ts';
import { blockMask } from './block-mask.ts';
import { cdKey } from './cd-key.ts';
import { cdOutlivesSte } from './cd-outlives-ste.ts';
import { combinedSize } from './combined-size.ts';
import { duplicate } from './duplicate.ts';
import { generationWraps } from './generation-wraps.ts';
import { globalStays } from './global-stays.ts';
import type { DeviceHazard } from './hazard.ts';
import { ipaTablesStay } from './ipa-tables-stay.ts';
import { lateFill } from './late-fill.ts';
import { levelHintOfTables } from './level-hint-of-tables.ts';
import { levelHint } from './level-hint.ts';
import { queueFullEarly } from './queue-full-early.ts';
import { rangeMisaligned } from './range-misaligned.ts';
import { rangeOffByOne } from './range-off-by-one.ts';
import { slotChangesOwner } from './slot-changes-owner.ts';
import { splinterStays } from './splinter-stays.ts';
import { stageOneOutlivesVm } from './stage-one-outlives-vm.ts';
import { stagesMixed } from './stages-mixed.ts';
import { steRangeOverflow } from './ste-range-overflow.ts';
import { tableStays } from './table-stays.ts';
import { vmidOfEightBits } from './vmid-of-eight-bits.ts';

export type { DeviceHazard } from './hazard.ts';
export { huntDevice, minimiseDevice, sourceOf } from './hunt.ts';
export type { DeviceHuntOptions } from './hunt.ts';

/** All of them. */
export const deviceHazards: readonly DeviceHazard[] = [
  asidOfEightBits,
  atcNotTold,
  blockMask,
  cdKey,
  cdOutlivesSte,
  combinedSize,
  duplicate,
  generationWraps,
  globalStays,
  ipaTablesStay,
  lateFill,
  levelHint,
  levelHintOfTables,
  queueFullEarly,
  rangeMisaligned,
  rangeOffByOne,
  slotChangesOwner,
  splinterStays,
  stageOneOutlivesVm,
  stagesMixed,
  steRangeOverflow,
  tableStays,
  vmidOfEightBits,
];
