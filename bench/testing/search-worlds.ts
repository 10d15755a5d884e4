/** Worlds for tests of searches in several threads. */
import { asidShare, type AsidShare } from '../workloads/asid-share.ts';
import type { SearchWorld } from '../../engine/search/parallel/job.ts';
import { build, type Program } from '../../engine/testing/programs.ts';

/** What these threads can build. */
export type TestWorld =
  | { readonly kind: 'asid-share'; readonly size: AsidShare }
  | { readonly kind: 'program'; readonly program: Program }
  | { readonly kind: 'broken' };

/** Builds a world in this thread. */
export function worldOf(world: TestWorld): SearchWorld {
  switch (world.kind) {
    case 'asid-share':
      return { system: asidShare(world.size) };
    case 'program':
      return { system: build(world.program) };
    case 'broken':
      throw new Error('this world cannot be built');
  }
}
