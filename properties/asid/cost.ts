import fc from 'fast-check';
import type { KernelParts } from '../../impl/kernel/index.ts';
import type { PhysicalMemory, SmmuPort } from '../../impl/platform/index.ts';
import { InvalidationMonitor } from '../../model/contract/invalidation.ts';
import { CommandCounter } from '../cost/commands.ts';
import type { CostScenario, Costs, CostUnit, CostWorld } from '../cost/scenario.ts';
import type { Configuration } from '../family.ts';
import { asidConfiguration, PLAIN, type AsidConfiguration } from './configuration.ts';
import { shareAsidCdFirst } from './hazards/share-asid-cd-first.ts';
import { shareAsidUnmapWindow } from './hazards/share-asid-unmap-window.ts';
import { ASID_LITMUS } from './litmus.ts';
import type { AsidOperation } from './operations.ts';
import { programs } from './programs.ts';
import { AsidWorld } from './world.ts';

/** A world that counts. */
class CountingWorld extends AsidWorld implements CostWorld {
  readonly costs: Costs;

  constructor(configuration: Configuration, parts: Partial<KernelParts>) {
    let memory: PhysicalMemory | undefined;
    let commands: CommandCounter | undefined;
    const tap = {
      watch: (watched: PhysicalMemory): void => {
        memory = watched;
      },
      port: (port: SmmuPort): SmmuPort => (commands = new CommandCounter(port, memory as PhysicalMemory)),
      ats: () => undefined,
    };
    super(configuration, parts, { tap });
    const { tags } = this.contract;
    const invalidations = new InvalidationMonitor(
      { streams: [], spaces: this.kernel.spaces, pages: [] },
      {
        ownerOf: ({ asid }) => (asid < 0 ? undefined : tags.owners('asid', asid)[0]),
        isPrivate: (space) => space < this.kernel.config.domains,
      },
    );
    this.architecture.onInvalidation((entry, { by }) => void invalidations.covered(entry, by));
    this.costs = { invalidations, commands: commands as CommandCounter };
    this.costs.commands.reset();
  }
}

/** Parts that a mistaken design replaces. */
const MISTAKES: Readonly<Record<string, Partial<KernelParts>>> = {
  'one-field': shareAsidUnmapWindow.parts,
  'cd-first': shareAsidCdFirst.parts,
};

const bind: AsidOperation = { op: 'bind', process: 0, device: 0 };
const unmap: AsidOperation = { op: 'unmap', domain: 0, page: 0 };
const unbind: AsidOperation = { op: 'unbind', process: 0, device: 0 };
const munmap: AsidOperation = { op: 'munmap', process: 0, page: 0 };

function unit(
  title: string,
  cpus: readonly (readonly AsidOperation[])[],
  world: Partial<AsidConfiguration> = {},
): CostUnit {
  const agents = cpus.map((operations, index) => ({ name: `CPU${index}`, operations }));
  return { title, configuration: { ...PLAIN, ...world } as AsidConfiguration, program: { agents } };
}

/** What it costs to make room for a process: the ways that are safe, and two that are not. */
export const ASID_COST: CostScenario = {
  designs: [
    { name: 'both', summary: 'the domain moves while its devices run, and unmap invalidates both numbers meanwhile' },
    { name: 'blocked', summary: 'the domain moves while its devices are refused' },
    { name: 'own', summary: 'the domain stays; the process takes another number than its CPU ASID' },
    { name: 'refuse', summary: 'the domain stays; the process is not shared with the device' },
    { name: 'one-field', summary: 'as both, but unmap invalidates the one number in the domain', mistaken: true },
    { name: 'cd-first', summary: 'as both, but unmap hears of the new number last', mistaken: true },
  ],
  configurations: fc
    .record({ masters: fc.constantFrom(1, 2), mapped: fc.constantFrom(1, 2), processes: fc.constantFrom(1, 2) })
    .map((drawn) => ({ ...PLAIN, ...drawn })),
  programs: (configuration) => programs(asidConfiguration(configuration)),
  world: (configuration, design) => {
    const mistake = MISTAKES[design];
    return new CountingWorld(
      mistake === undefined ? { ...configuration, reassign: design } : configuration,
      mistake ?? {},
    );
  },
  units: [
    unit('bind, 1 device', [[bind]]),
    unit('bind, 2 devices', [[bind]], { masters: 2 }),
    unit('unmap', [[unmap]]),
    unit('bind beside an unmap', [[bind], [unmap]]),
    unit('bind beside an unmap, 2 devices', [[bind], [unmap]], { masters: 2 }),
    unit('bind, munmap in the process', [[bind, munmap]]),
    unit('bind, unbind', [[bind, unbind]]),
  ],
  litmus: ASID_LITMUS.filter(({ id }) =>
    ['unmap-during-bind', 'unmap-during-bind-two-masters', 'bind-twice'].includes(id),
  ),
};
