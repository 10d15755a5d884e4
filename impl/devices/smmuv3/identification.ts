import {
  featureRegisters,
  QUEUE_LOG2_MAX,
  type SmmuFeatures,
} from '../../../model/architecture/arm/layout/features.ts';
import { REGISTER } from '../../../model/architecture/arm/layout/register.ts';

export { QUEUE_LOG2_MAX };

/** AIDR of SMMUv3.2, the first version in which range invalidation is mandatory (§6.3.8). */
const AIDR_V3_2 = 2;

/** Values of the identification registers, by offset. */
export function identification(features: SmmuFeatures): Map<number, number> {
  const { idr0, idr1, idr3, idr5 } = featureRegisters(features);
  return new Map([
    [REGISTER.IDR0, idr0],
    [REGISTER.IDR1, idr1],
    [REGISTER.IDR3, idr3],
    [REGISTER.IDR5, idr5],
    [REGISTER.AIDR, AIDR_V3_2],
  ]);
}
