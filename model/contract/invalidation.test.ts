import { describe, expect, it } from 'vitest';
import { InvalidationMonitor, type CoveredEntry, type Loss } from './invalidation.ts';
import type { ContractWorld } from './world.ts';

/** Machine 0 as KVM has it, as the SMMU has it, and its guest; another machine; a process; a private domain. */
const [VM, VM_DOMAIN, GUEST, OTHER_VM, PROCESS, DOMAIN] = [0, 1, 2, 3, 4, 5];
const WORLD: ContractWorld = {
  streams: [],
  spaces: 6,
  pages: [],
  machines: [[VM, VM_DOMAIN, GUEST]],
  nested: [{ space: GUEST, parent: VM_DOMAIN }],
};

/** Entries are owned by the space whose number is their ASID. */
const entryOf = (space: number, difference: Partial<CoveredEntry> = {}): CoveredEntry => ({
  vmid: 0,
  asid: space,
  stage: 1,
  valid: true,
  required: true,
  ...difference,
});

function monitor(forbidden: readonly Loss[] = [], held?: () => number): InvalidationMonitor {
  const use = {
    ownerOf: ({ asid }: CoveredEntry) => (asid < 0 ? undefined : asid),
    isPrivate: (space: number) => space === DOMAIN,
    ...(held === undefined ? {} : { held }),
  };
  return new InvalidationMonitor(WORLD, use, forbidden);
}

/** What the loss of an entry is counted as when a CPU broadcasts for `cause`. */
function lossOf(cause: number | 'all' | undefined, entry: CoveredEntry): string {
  const watching = monitor();
  if (cause !== undefined) watching.on({ type: 'tlbi', by: 'broadcast', space: cause });
  watching.covered(entry, 'broadcast');
  const { lost } = watching.counts('broadcast');
  return Object.entries(lost)
    .filter(([, count]) => count > 0)
    .map(([loss]) => loss)
    .join();
}

describe('a loss', () => {
  it('is needed, or made in vain, where the space has asked for it', () => {
    expect(lossOf(PROCESS, entryOf(PROCESS, { valid: false }))).toBe('needed');
    expect(lossOf(PROCESS, entryOf(PROCESS))).toBe('own');
  });

  it('is charged to the machine, to a stranger, and apart if the victim is private', () => {
    expect(lossOf(VM, entryOf(VM_DOMAIN, { stage: 2, vmid: 1 }))).toBe('machine');
    expect(lossOf(VM, entryOf(GUEST, { stage: 'combined', vmid: 1 }))).toBe('machine');
    expect(lossOf(OTHER_VM, entryOf(VM_DOMAIN, { stage: 2, vmid: 1 }))).toBe('unrelated');
    expect(lossOf(PROCESS, entryOf(DOMAIN))).toBe('private');
    expect(lossOf(PROCESS, entryOf(DOMAIN, { stage: 2, vmid: 1 }))).toBe('unrelated');
  });

  it('is nobody’s where the entry was stale or its tag has no owner', () => {
    expect(lossOf(OTHER_VM, entryOf(VM_DOMAIN, { valid: false }))).toBe('dead');
    expect(lossOf(OTHER_VM, entryOf(-1))).toBe('dead');
  });

  it('is accepted where everything was meant, or nobody said what', () => {
    expect(lossOf('all', entryOf(DOMAIN))).toBe('broad');
    expect(lossOf(undefined, entryOf(DOMAIN))).toBe('broad');
  });
});

describe('InvalidationMonitor', () => {
  it('over-invalidation: refuses what the design promises not to lose', () => {
    const watching = monitor(['private', 'unrelated']);
    watching.on({ type: 'tlbi', by: 'broadcast', space: PROCESS });
    expect(watching.covered(entryOf(DOMAIN), 'broadcast')).toEqual({
      monitor: 'invalidation',
      rule: 'over-invalidation',
      message: 'An entry of ASID 5, which space 5 needs, is invalidated by a broadcast TLBI for space 4.',
      data: { promise: 'tlbi', space: 5, cause: 4, vmid: 0, asid: 5, by: 'broadcast' },
    });
    expect(watching.covered(entryOf(VM_DOMAIN, { stage: 2, vmid: 3 }), 'command')?.message).toBe(
      'An entry of VMID 3, which space 1 needs, is invalidated by an invalidation command for space 4.',
    );
    expect(watching.covered(entryOf(DOMAIN, { valid: false }), 'broadcast')).toBeUndefined();
    expect(watching.covered(entryOf(PROCESS), 'broadcast')).toBeUndefined();
  });

  it('does not refuse what may stay, nor what nobody promised', () => {
    const watching = monitor(['private']);
    watching.on({ type: 'tlbi', by: 'broadcast', space: PROCESS });
    expect(watching.covered(entryOf(DOMAIN, { required: false }), 'broadcast')).toBeUndefined();
    expect(watching.covered(entryOf(VM_DOMAIN), 'broadcast')).toBeUndefined();
    expect(watching.counts('broadcast')).toMatchObject({
      lost: { unrelated: 1, private: 0 },
      mayBeLost: { private: 1 },
    });
  });

  it('takes commands of which nothing was said for those of the owner', () => {
    const watching = monitor(['private']);
    expect(watching.covered(entryOf(DOMAIN), 'command')).toBeUndefined();
    expect(watching.counts('command').lost).toMatchObject({ own: 1, broad: 0 });
  });

  it('forgets after the step on whose behalf it was', () => {
    const watching = monitor(['private']);
    watching.on({ type: 'tlbi', by: 'broadcast', space: PROCESS });
    watching.settle();
    expect(watching.covered(entryOf(DOMAIN), 'broadcast')).toBeUndefined();
    expect(watching.counts('broadcast').lost.broad).toBe(1);
  });

  it('counts by who made it, with what was held, until it starts anew', () => {
    const watching = monitor([], () => 7);
    watching.on({ type: 'tlbi', by: 'broadcast', space: PROCESS });
    watching.on({ type: 'tlbi', by: 'broadcast', space: PROCESS });
    watching.on({ type: 'tlbi', by: 'command', space: DOMAIN });
    watching.covered(entryOf(DOMAIN), 'command');
    watching.on({ type: 'tlbi.left-out', space: PROCESS, commands: 3 });
    expect(watching.counts('broadcast')).toMatchObject({ operations: 2, held: 14, lost: { own: 0 } });
    expect(watching.counts('command')).toMatchObject({ operations: 1, held: 7, lost: { own: 1 } });
    watching.on({ type: 'flush.begin', space: PROCESS });
    expect(watching.leftOut).toBe(3);
    watching.reset();
    expect(watching.counts('command')).toEqual(monitor().counts('command'));
    expect(watching.leftOut).toBe(0);
  });
});
