import type { AsidConfig } from './asid.ts';
import type { Symmetry } from './model.ts';

/** Counts that TLC prints for kernel-tla/asidalloc.tla. */
export interface PublishedCount {
  readonly config: AsidConfig;
  readonly symmetry: Symmetry;
  readonly generated: number;
  readonly distinct: number;
  readonly depth: number;
}

/** The bounds of asidalloc.cfg: 2 CPUs, 4 ASIDs, 3 generations, TLBs not shared. */
function bounds(tasks: number): AsidConfig {
  return { cpus: 2, spaces: tasks, tags: 4, generations: 3, plusCal: true };
}

/** What TLC (TLA+ tools) counts of C. Marinas' model in the version of 2021-09-10, by number of tasks. */
export const PUBLISHED: readonly PublishedCount[] = [
  { config: bounds(2), symmetry: 'none', generated: 652_477, distinct: 197_000, depth: 61 },
  { config: bounds(2), symmetry: 'spaces and CPUs', generated: 163_283, distinct: 49_296, depth: 61 },
  { config: bounds(3), symmetry: 'spaces and CPUs', generated: 6_533_343, distinct: 1_911_620, depth: 78 },
];
