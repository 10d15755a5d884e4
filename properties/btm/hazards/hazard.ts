import type { Hazard } from '../../family.ts';
import type { BtmParts } from '../platform.ts';

/** A hazard of this family: which part of the software is replaced, by a subclass that overrides one routine. */
export interface BtmHazard extends Hazard {
  readonly parts: Partial<BtmParts>;
}
