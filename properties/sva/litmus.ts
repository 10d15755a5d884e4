import type { Litmus } from '../family.ts';
import { PLAIN, type SvaConfiguration } from './configuration.ts';
import type { SvaOperation } from './operations.ts';

/** A litmus test: operations by CPU, and how the machine differs from the plain one. */
function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly SvaOperation[])[],
  hazards: readonly string[],
  machine: Partial<SvaConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, ...machine } as SvaConfiguration, program: { agents } };
}

const to = (...processes: readonly number[]): SvaOperation[] => processes.map((process) => ({ op: 'switch', process }));
const munmap = (process = 0, page = 0): SvaOperation => ({ op: 'munmap', process, page });
const bind = (process = 0, device = 0): SvaOperation => ({ op: 'bind', process, device });
const unbind = (process = 0, device = 0): SvaOperation => ({ op: 'unbind', process, device });
const fork = (process: number): SvaOperation => ({ op: 'fork', process });
const exit: SvaOperation = { op: 'exit' };
const ONE = { cpus: 1, asids: 3 } as const;

/** The smallest program for each way in which sharing processes can go wrong. */
export const SVA_LITMUS: readonly Litmus[] = [
  litmus(
    'munmap-bound',
    'a page is unmapped that a device reaches, and the SMMU hears of it by the broadcast alone',
    [[munmap()]],
    [
      'btm-shared-cd-private',
      'btm-asid-not-pinned',
      'btm-ptm-set',
      'btm-el2-contexts',
      'btm-tlbi-local',
      'btm-free-before-dsb',
      'btm-table-leaf-only',
    ],
    { ...ONE, bound: true },
  ),
  litmus(
    'munmap-first-of-two',
    'the same of the first of two pages, whose table stays',
    [[munmap()]],
    ['btm-shared-cd-private', 'btm-ptm-set', 'btm-tlbi-local', 'btm-free-before-dsb'],
    { ...ONE, bound: true, both: true },
  ),
  litmus(
    'munmap-two-cpus',
    'a page is unmapped that another CPU and a device reach',
    [[munmap()], to(0)],
    ['btm-shared-cd-private', 'btm-ptm-set', 'btm-tlbi-local', 'btm-free-before-dsb'],
    { bound: true, both: true },
  ),
  litmus(
    'munmap-unheard',
    'a page is unmapped that a device reaches, and the SMMU cannot hear broadcasts',
    [[munmap()]],
    ['btm-flag-of-another-smmu'],
    { ...ONE, bound: true, broadcast: 'absent' },
  ),
  litmus('munmap-ignored', 'the same where it need not hear them', [[munmap()]], [], {
    ...ONE,
    bound: true,
    broadcast: 'ignored',
  }),
  litmus(
    'munmap-kpti',
    'a page is unmapped that a device reaches under the user’s ASID of a pair',
    [[munmap()]],
    ['btm-kpti-user-half-missed'],
    { ...ONE, bound: true, kpti: true },
  ),
  litmus('run-kpti', 'a process runs that a device uses, and has an ASID for each', [to(0)], ['btm-kpti-kernel-asid'], {
    ...ONE,
    bound: true,
    kpti: true,
  }),
  litmus(
    'munmap-during-bind',
    'a page is unmapped while a device begins to use the process, which gets its first ASID by that',
    [[bind()], [munmap()]],
    ['btm-asid-before-clear', 'btm-tlbi-local'],
  ),
  litmus('munmap-during-bind-ignored', 'the same where the SMMU is told by commands', [[bind()], [munmap()]], [], {
    broadcast: 'ignored',
  }),
  litmus(
    'munmap-during-bind-weak',
    'the same where it hears broadcasts, and stores reach memory late',
    [[bind()], [munmap()]],
    ['btm-tlbi-vs-asid-rollover', 'btm-tlbi-no-barrier', 'btm-asid-before-clear'],
    { weak: 1, both: true },
  ),
  litmus(
    'munmap-private-number',
    'a process unmaps a page under the ASID that a private domain has',
    [[...to(0), munmap()]],
    ['btm-private-cd-shared'],
    ONE,
  ),
  litmus(
    'unmap-private',
    'a page of a private domain is unmapped',
    [[{ op: 'unmap', page: 0 }]],
    ['btm-skips-private-domains'],
    ONE,
  ),
  litmus(
    'bind-moves-domain',
    'a process is bound whose ASID a private domain has',
    [[bind()]],
    ['share-asid-trusts-aset', 'share-asid-flush-by-broadcast'],
    ONE,
  ),
  litmus(
    'bind-moves-domain-munmap',
    'the same while the process, which runs under that ASID, unmaps a page',
    [[bind()], [munmap()]],
    ['share-asid-trusts-aset', 'share-asid-flush-by-broadcast'],
    { running: true },
  ),
  litmus(
    'bind-moves-domain-unmap',
    'the same while a page of the domain is unmapped',
    [[bind()], [{ op: 'unmap', page: 0 }]],
    ['share-asid-trusts-aset', 'share-asid-flush-by-broadcast', 'btm-skips-private-domains'],
  ),
  litmus(
    'bind-narrow',
    'a process is to be bound to an SMMU with smaller ASIDs',
    [[bind()]],
    ['asid-xa-limit-truncated'],
    { ...ONE, narrow: true },
  ),
  litmus(
    'rollover-bound',
    'generations end while a device uses a process that does not run',
    [[...to(1, 2, 3), munmap()]],
    ['sva-rollover-ignores-pinned'],
    { ...ONE, processes: 4, bound: true, taken: 3 },
  ),
  litmus(
    'rollover-bound-runs',
    'the process that a device uses runs again after a roll-over',
    [[...to(1, 2, 1, 3, 0), munmap()]],
    ['sva-pinned-not-kept'],
    { ...ONE, processes: 4, bound: true, taken: 3 },
  ),
  litmus(
    'rollover-forked',
    'a process that a device uses forks, a device uses the child, and generations end',
    [[...to(0), fork(1), ...to(1), bind(1), ...to(2, 3)]],
    ['sva-pins-inherited'],
    { ...ONE, processes: 4, bound: true },
  ),
  litmus(
    'bind-too-many',
    'more processes are to be bound than can be pinned',
    [[...to(1), bind(1), ...to(2, 3, 2)]],
    ['sva-binds-unpinned'],
    { ...ONE, processes: 4, bound: true },
  ),
  litmus(
    'unbind-during-rollover',
    'the last device lets go of a process while a generation ends, after which its ASID is another’s',
    [to(1, 2, 3, 4), [unbind()]],
    ['sva-unpins-before-flush'],
    { processes: 5, bound: true, taken: 4 },
  ),
  litmus('last-unbind', 'the last device lets go of a process', [[unbind()]], ['sva-flush-left-to-rollover'], {
    ...ONE,
    bound: true,
  }),
  litmus('exit-bound', 'a process exits that a device uses, and is unbound afterwards', [[exit, unbind()]], [], {
    ...ONE,
    running: true,
    bound: true,
  }),
  litmus(
    'exit-bound-unheard',
    'the same where the SMMU cannot hear broadcasts',
    [[exit, unbind()]],
    ['sva-release-after-free'],
    { ...ONE, running: true, bound: true, broadcast: 'absent' },
  ),
  litmus(
    'munmap-ats',
    'a page is unmapped that a device has the address of',
    [[munmap()]],
    ['btm-atc-inv-skipped', 'btm-atc-before-dsb'],
    { ...ONE, bound: true, both: true, ats: true },
  ),
  litmus(
    'unbind-ats',
    'a device that has the address of a page lets go of the process',
    [[unbind()]],
    ['sva-unbind-keeps-atc'],
    { ...ONE, bound: true, ats: true },
  ),
  litmus(
    'detach-attach-ats',
    'a device lets go of its domain too, and comes back',
    [[unbind(), { op: 'detach', device: 0 }, { op: 'attach', device: 0 }, bind()], [munmap()]],
    [],
    { bound: true, ats: true },
  ),
];
