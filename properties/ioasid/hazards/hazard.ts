import type { FreeDesign, IoasidParts } from '../../../impl/kernel/ioasid/index.ts';
import type { Hazard } from '../../family.ts';
import type { TableKind } from '../configuration.ts';

/** A hazard of this family: a mistake as a replaced part of a design. */
export interface IoasidHazard extends Hazard {
  readonly parts: Partial<IoasidParts>;
  /** The design that it is a mistake in; default `deferred`. */
  readonly design?: FreeDesign;
  /** The tables that it is a mistake about; default `abstract`. */
  readonly table?: TableKind;
  /** It shows wherever a device is bound: nothing is bound at first. */
  readonly unbound?: true;
  /** It is held against a weaker contract: a number may be free while it is used, and must not be given out again. */
  readonly lenient?: true;
}

export const SERIES = '"IOASID extensions for guest SVA", iommu list, 2020';

/** What a report says of a rule of the monitor. */
export function rule(name: string): { readonly monitor: string; readonly rule: string } {
  return { monitor: 'pasid', rule: name };
}

/** What a report says of a rule of the engine. */
export function safety(name: string): { readonly monitor: string; readonly rule: string } {
  return { monitor: 'safety', rule: name };
}
