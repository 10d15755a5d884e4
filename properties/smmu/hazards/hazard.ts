import type { NestedParts } from '../../../impl/kernel/nested/index.ts';
import type { Hazard } from '../../family.ts';

/** A hazard of this family: which part of the kernel is replaced, by a subclass that overrides one routine. */
export interface SmmuHazard extends Hazard {
  readonly parts: Partial<NestedParts>;
}
