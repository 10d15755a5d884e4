import { asid } from './asid/index.ts';
import type { Family } from './family.ts';

/** The families of software properties, the main one first. (Device models are checked by `conformance/`.) */
export const families: readonly Family[] = [asid];
