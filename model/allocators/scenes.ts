import { asidAllocator, type AsidAllocator, type AsidConfig } from './asid.ts';
import type { AllocatorBug } from './bugs.ts';
import type { AllocatorModel } from './model.ts';
import { PUBLISHED } from './published.ts';
import type { AllocatorConfig } from './state.ts';
import { vmidAllocator, type VmidAllocator } from './vmid.ts';
import type { Witness } from './witnesses.ts';

/** Bounds under which an allocator is explored, and what the exploration must come by to mean anything. */
export interface Scene<C extends AllocatorConfig, B> {
  readonly name: string;
  readonly config: C;
  readonly needs: readonly Witness[];
  readonly model: (bug?: B) => AllocatorModel;
}

function asidScene(
  name: string,
  config: AsidConfig,
  needs: readonly Witness[],
): Scene<AsidConfig, AllocatorBug<AsidAllocator>> {
  return { name, config, needs, model: (bug) => asidAllocator(config, bug?.routines) };
}

function vmidScene(
  name: string,
  config: AllocatorConfig,
  needs: readonly Witness[],
): Scene<AllocatorConfig, AllocatorBug<VmidAllocator>> {
  return { name, config, needs, model: (bug) => vmidAllocator(config, bug?.routines) };
}

const ANY_BOUNDS: readonly Witness[] = ['the fast path was taken'];
const TWO_CPUS: readonly Witness[] = [
  ...ANY_BOUNDS,
  'the slow path found the tag valid under the lock',
  'a space ran on two CPUs',
];
const ROLL_OVER: readonly Witness[] = [
  ...ANY_BOUNDS,
  'a roll-over happened',
  'a running tag was reserved at a roll-over',
];
const TWO_ROLL_OVERS: readonly Witness[] = [
  ...TWO_CPUS,
  ...ROLL_OVER,
  'the fast path met a roll-over',
  'a tag stayed reserved through a second roll-over',
  'a space found its tag reserved',
  'a space took its old number again',
  'a space got another number',
];
const UNMAPPED: readonly Witness[] = ['an invalidation met a tag that had changed since it was read'];

/** What the ASID allocator is explored under. */
export const ASID_SCENES = {
  published: asidScene('as published, 2 tasks', (PUBLISHED[0] as (typeof PUBLISHED)[number]).config, [
    ...TWO_CPUS,
    ...UNMAPPED,
  ]),
  oneCpu: asidScene('1 CPU, 3 tasks, 2 ASIDs', { cpus: 1, spaces: 3, tags: 3, generations: 3 }, [
    ...ROLL_OVER,
    ...UNMAPPED,
    'a CPU flushed its TLB after a roll-over',
    'a space got another number',
  ]),
  replaced: asidScene(
    '2 CPUs, 1 of 2 tasks replaced',
    { cpus: 2, spaces: 2, tags: 4, generations: 3, unmapped: 0, replaced: 1 },
    [...TWO_ROLL_OVERS, 'a CPU flushed its TLB after a roll-over'],
  ),
  pinned: asidScene(
    '1 CPU, 1 task pinned, 1 replaced',
    { cpus: 1, spaces: 2, tags: 4, generations: 3, unmapped: 0, replaced: 1, pinned: 1 },
    [...ROLL_OVER, 'a pinned tag was kept at a roll-over'],
  ),
  pinnedTwice: asidScene(
    '1 CPU, 2 tasks may be pinned, 1 replaced',
    { cpus: 1, spaces: 3, tags: 4, generations: 2, unmapped: 0, replaced: 1, pinned: 2 },
    [...ROLL_OVER, 'a pinned tag was kept at a roll-over'],
  ),
} as const;

/** What the VMID allocator is explored under. */
export const VMID_SCENES = {
  twoMachines: vmidScene('2 CPUs, 2 machines', { cpus: 2, spaces: 2, tags: 4, generations: 3 }, [
    ...TWO_CPUS,
    ...UNMAPPED,
  ]),
  oneCpu: vmidScene('1 CPU, 3 machines, 2 VMIDs', { cpus: 1, spaces: 3, tags: 3, generations: 3 }, [
    ...ROLL_OVER,
    ...UNMAPPED,
    'a space took its old number again',
    'a roll-over met an idle CPU',
  ]),
  replaced: vmidScene(
    '2 CPUs, 1 of 2 machines replaced',
    { cpus: 2, spaces: 2, tags: 4, generations: 2, unmapped: 0, replaced: 1 },
    [
      ...TWO_CPUS,
      ...ROLL_OVER,
      'the fast path met a roll-over',
      'a space found its tag reserved',
      'a vCPU was put while a roll-over went on',
      'a roll-over met an idle CPU',
    ],
  ),
  scarce: vmidScene(
    '2 CPUs, 2 VMIDs, 1 of 2 machines replaced',
    { cpus: 2, spaces: 2, tags: 3, generations: 2, unmapped: 0, replaced: 1 },
    [...ROLL_OVER, 'a roll-over met an idle CPU'],
  ),
} as const;
