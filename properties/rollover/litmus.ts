import type { Litmus } from '../family.ts';
import { PLAIN, type RolloverConfiguration, type RolloverOperation } from './configuration.ts';

/** A litmus test: operations by CPU, and how the machine differs from the plain one. */
function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly RolloverOperation[])[],
  hazards: readonly string[],
  machine: Partial<RolloverConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, ...machine } as RolloverConfiguration, program: { agents } };
}

const [A, B, C, D, E] = [0, 1, 2, 3, 4];
const to = (...mms: readonly number[]): RolloverOperation[] => mms.map((mm) => ({ op: 'switch', mm }));
const unmap = (mm: number): RolloverOperation => ({ op: 'unmap', mm, page: 0 });
const map = (mm: number): RolloverOperation => ({ op: 'map', mm, page: 0 });
const pin = (mm: number): RolloverOperation => ({ op: 'pin', mm });
const unpin = (mm: number): RolloverOperation => ({ op: 'unpin', mm });
const fork = (mm: number): RolloverOperation => ({ op: 'fork', mm });
const exec = (mm: number): RolloverOperation => ({ op: 'exec', mm });
const munmap = (mm: number): RolloverOperation => ({ op: 'munmap', mm });
const lazy: RolloverOperation = { op: 'lazy' };
const exit: RolloverOperation = { op: 'exit' };

/** The smallest program for each way in which a roll-over can go wrong. */
export const ROLLOVER_LITMUS: readonly Litmus[] = [
  litmus(
    'rollover-once',
    'a CPU runs a process while another one begins a generation',
    [to(A), to(B, C, D)],
    ['rollover-reserved-not-taken', 'rollover-active-after-unlock'],
    { taken: 1 },
  ),
  litmus(
    'rollover-twice',
    'a CPU runs a process while another one begins two generations',
    [to(A), to(B, C, D, B)],
    ['asid-suspended-animation'],
    { taken: 2 },
  ),
  litmus(
    'rollover-two-copies',
    'two CPUs run a process, and one of them leaves it and comes back',
    [to(A, B, A, C, D, A), to(A)],
    ['rollover-reserved-first-copy', 'rollover-reserved-not-renewed'],
    { taken: 2 },
  ),
  litmus(
    'rollover-same-process',
    'two CPUs switch to one process, whose ASID is out of date',
    [to(A), to(A, B)],
    ['rollover-checked-before-lock'],
    { taken: 3 },
  ),
  litmus(
    'rollover-fast-path',
    'a CPU takes the fast path while another one begins a generation',
    [to(A, B, A), to(C, D)],
    ['rollover-fastpath-plain-store', 'rollover-fastpath-ignores-zero'],
    { taken: 0 },
  ),
  litmus(
    'rollover-fast-path-twice',
    'a CPU takes the fast path while another one begins two generations',
    [to(B, A, B), to(C, D, E, D)],
    ['rollover-fastpath-xchg'],
    { mms: 5 },
  ),
  litmus(
    'rollover-number-again',
    'a CPU comes upon a number that stood for another process before',
    [to(A, B, C, D)],
    ['rollover-flush-ignored'],
  ),
  litmus(
    'rollover-renewed-elsewhere',
    'a process that got its number on one CPU comes to another',
    [to(A, D), to(B, C, D)],
    ['rollover-flush-renewed-only'],
  ),
  litmus(
    'rollover-renewed-fast-path',
    'the same where the other CPU has not switched since',
    [to(A, C, B), to(D, B)],
    ['rollover-fastpath-active-zero'],
  ),
  litmus(
    'rollover-two-flushes',
    'two generations begin before a CPU switches again',
    [to(B, C, B, A), to(D, A)],
    ['rollover-flush-mask-of-active'],
  ),
  litmus(
    'rollover-common-tlbs',
    'CPUs that share their TLBs switch',
    [to(A, B), to(C, D)],
    ['rollover-cnp-keeps-ttbr0'],
    { taken: 2, cnp: true },
  ),
  litmus(
    'tlbi-two-cpus',
    'a page is unmapped that another CPU uses',
    [to(A), [unmap(A)]],
    ['tlbi-local-only', 'tlbi-no-sync', 'tlbi-asid-before-clear'],
  ),
  litmus(
    'tlbi-late-stores',
    'the same while stores reach memory late',
    [to(A), [unmap(A)]],
    ['tlbi-vs-asid-rollover', 'tlbi-asid-before-barrier', 'tlbi-vs-asid-publication'],
    { weak: 2 },
  ),
  litmus(
    'tlbi-late-stores-rollover',
    'a page is unmapped late while its process gets another ASID',
    [to(A, B, A), [unmap(A)]],
    ['tlbi-vs-asid-rollover', 'tlbi-asid-before-barrier'],
    { taken: 2, weak: 1 },
  ),
  litmus(
    'rollover-pinned',
    'a generation ends while a device uses a process that does not run',
    [[pin(A), ...to(B, C, D)]],
    ['rollover-ignores-pinned'],
    { cpus: 1, taken: 2 },
  ),
  litmus(
    'rollover-pinned-runs',
    'the process that a device uses runs again after a roll-over',
    [[pin(A), ...to(B, A)]],
    ['rollover-pinned-not-kept'],
    { cpus: 1, taken: 2 },
  ),
  litmus(
    'rollover-pinned-and-reserved',
    'the process that a device uses runs on a CPU that does not switch',
    [[...to(B), pin(A), ...to(C, A), unpin(A), ...to(D, E, A)], to(A)],
    ['rollover-pinned-before-reserved'],
    { asids: 4, mms: 5, taken: 2 },
  ),
  litmus(
    'rollover-pinned-fork',
    'the process that a device uses forks',
    [[...to(A), pin(A), fork(B), ...to(B, C, D, B)]],
    ['rollover-pinned-inherited'],
    { cpus: 1 },
  ),
  litmus(
    'rollover-pinned-most',
    'more processes are to be pinned than there is room for',
    [[pin(A), pin(B), pin(C), ...to(D)]],
    ['rollover-pinned-no-limit'],
    { cpus: 1 },
  ),
  litmus(
    'rollover-pinned-room',
    'a process runs and another one is to, while others are pinned',
    [[pin(A), pin(B), ...to(C, D)]],
    ['rollover-pinned-limit-by-one'],
    { cpus: 1 },
  ),
  litmus(
    'rollover-pinned-twice',
    'of two devices that use a process one goes',
    [[pin(A), pin(A), unpin(A), ...to(B, C, D, E)]],
    ['rollover-pin-not-counted'],
    { cpus: 1, asids: 4, mms: 5, taken: 3 },
  ),
  litmus(
    'rollover-pinned-and-back',
    'a process is pinned, and is not any more',
    [[pin(A), unpin(A), ...to(A)]],
    ['rollover-unpin-keeps-count'],
    { cpus: 1 },
  ),
  litmus(
    'rollover-exit',
    'a process ends, and others take its place and its CPU',
    [[...to(A), exit, ...to(B), fork(A), ...to(A), exit]],
    ['exit-frees-asid'],
    { cpus: 1 },
  ),
  litmus(
    'rollover-exec',
    'a process is followed by another one while a generation ends',
    [[...to(A), exec(B), ...to(E)], to(C, D)],
    ['exit-frees-asid-of-next-generation'],
    { mms: 5 },
  ),
  litmus(
    'rollover-fork',
    'a process runs after its parent',
    [[...to(A), fork(B), ...to(B)]],
    ['fork-inherits-asid', 'switch-asid-before-table'],
    { cpus: 1 },
  ),
  litmus(
    'rollover-lazy',
    'a kernel thread borrows what was loaded while another CPU begins a generation',
    [[...to(A), lazy, ...to(A)], to(B, C, D)],
    [],
    { taken: 1 },
  ),
  litmus(
    'tlbi-exit-lazy',
    'a process ends while a kernel thread has its table',
    [
      [...to(A), lazy, ...to(B)],
      [...to(A), exit, ...to(C)],
    ],
    ['tlbi-exit-keeps-tables', 'lazy-tlb-uncounted', 'lazy-tlb-never-dropped', 'lazy-tlb-dropped-first'],
    { levels: 2 },
  ),
  litmus(
    'tlbi-exit-map',
    'a page is mapped while its process ends',
    [
      [...to(A), exit],
      [unmap(A), map(A)],
    ],
    ['pgtable-maps-after-exit'],
  ),
  litmus(
    'tlbi-munmap',
    'all that a process has is unmapped while another CPU runs it',
    [to(A), [munmap(A)]],
    ['tlbi-last-level-for-table', 'tlbi-range-short', 'pgtable-freed-at-once', 'tlbi-pages-freed-first'],
    { pages: 2, levels: 2 },
  ),
  litmus(
    'tlbi-munmap-flat',
    'the same with tables of one level, which do not go',
    [to(A), [munmap(A), map(A), munmap(A)]],
    ['tlbi-range-short', 'tlbi-pages-freed-first'],
    { pages: 2 },
  ),
  litmus(
    'tlbi-munmap-map',
    'all that a process has is unmapped, after a page of it alone, and mapped again',
    [[...to(A), unmap(A), munmap(A), map(A), munmap(A)], to(A)],
    [],
    { levels: 2 },
  ),
  litmus(
    'tlbi-kpti',
    'a page is unmapped of a process with two ASIDs',
    [to(A), [unmap(A)]],
    ['kpti-tlbi-kernel-half-only', 'kpti-tlbi-user-half-only', 'kpti-one-asid-for-both'],
    { kpti: true },
  ),
  litmus(
    'rollover-kpti',
    'a generation ends while a process runs that has two ASIDs',
    [to(A, D), to(B, C)],
    ['kpti-rollover-odd-ones-free'],
    { taken: 2, kpti: true },
  ),
  litmus(
    'rollover-kpti-pinned',
    'processes with two ASIDs each are pinned, and one runs',
    [[pin(A), pin(B), pin(C), ...to(D, A, B)]],
    ['kpti-pinned-limit-of-halves', 'kpti-pins-kernel-half'],
    { cpus: 1, kpti: true },
  ),
];
