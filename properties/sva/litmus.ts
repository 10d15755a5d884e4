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

/** The smallest program for each way in which sharing processes can go wrong. */
export const SVA_LITMUS: readonly Litmus[] = [
  litmus(
    'munmap-bound',
    'a page is unmapped that a device reaches, and the SMMU hears of it by the broadcast alone',
    [[munmap()]],
    ['btm-shared-cd-private', 'btm-ptm-set', 'btm-tlbi-local', 'btm-free-before-dsb', 'btm-table-leaf-only'],
    { bound: true, cpus: 1, asids: 3 },
  ),
  litmus(
    'munmap-bound-both',
    'the same of the first of two pages, whose table stays',
    [[munmap()]],
    ['btm-shared-cd-private', 'btm-ptm-set', 'btm-tlbi-local', 'btm-free-before-dsb'],
    { bound: true, both: true, cpus: 1, asids: 3 },
  ),
  litmus(
    'munmap-two-cpus',
    'a page is unmapped that another CPU and a device reach',
    [[munmap()], to(0)],
    ['btm-shared-cd-private', 'btm-tlbi-local', 'btm-free-before-dsb'],
    { bound: true },
  ),
  litmus(
    'munmap-absent',
    'a page is unmapped that a device reaches, and the SMMU hears no broadcast',
    [[munmap()]],
    ['btm-flag-of-another-smmu'],
    { bound: true, broadcast: 'absent', cpus: 1, asids: 3 },
  ),
  litmus(
    'munmap-during-bind',
    'a page is unmapped while a device begins to use the process',
    [[bind()], [munmap()]],
    ['btm-tlbi-local', 'btm-free-before-dsb', 'btm-asid-before-clear'],
  ),
  litmus(
    'munmap-during-bind-ignored',
    'the same where the SMMU is told by commands',
    [[bind()], [munmap()]],
    ['btm-ptm-set-nowhere'],
    { broadcast: 'ignored' },
  ),
];
