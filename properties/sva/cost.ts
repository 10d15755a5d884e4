import fc from 'fast-check';
import { BlockingBtmSva, type BtmParts } from '../../impl/kernel/btm/index.ts';
import type { PhysicalMemory, SmmuPort } from '../../impl/platform/index.ts';
import { CommandCounter } from '../cost/commands.ts';
import type { Costs, CostScenario, CostUnit, CostWorld } from '../cost/scenario.ts';
import type { Configuration } from '../family.ts';
import { PLAIN, svaConfiguration, type Broadcast, type SvaConfiguration } from './configuration.ts';
import { NUMBER_HAZARDS } from './hazards/numbers.ts';
import { SVA_LITMUS } from './litmus.ts';
import type { SvaOperation } from './operations.ts';
import { programs } from './programs.ts';
import { SvaWorld } from './world.ts';

/** A world that counts. */
class CountingWorld extends SvaWorld implements CostWorld {
  readonly costs: Costs;

  constructor(configuration: Configuration, parts: Partial<BtmParts>) {
    let commands: CommandCounter | undefined;
    super(
      configuration,
      parts,
      (port: SmmuPort, memory: PhysicalMemory) => (commands = new CommandCounter(port, memory)),
    );
    this.costs = { invalidations: this.judge.invalidations, commands: commands as unknown as CommandCounter };
    this.costs.invalidations.reset();
    this.costs.commands.reset();
  }
}

/** Each design: what becomes of broadcasts, and which routines are others. */
const DESIGNS: Readonly<Record<string, { readonly broadcast: Broadcast; readonly parts?: Partial<BtmParts> }>> = {
  absent: { broadcast: 'absent' },
  ignored: { broadcast: 'ignored' },
  on: { broadcast: 'on' },
  blocked: { broadcast: 'on', parts: { sva: BlockingBtmSva } },
  'aset-0': { broadcast: 'on', parts: partsOf('btm-private-cd-shared') },
};

function partsOf(hazard: string): Partial<BtmParts> {
  return NUMBER_HAZARDS.find(({ id }) => id === hazard)?.parts ?? {};
}

/** Room for two pinned processes. */
const WORLD: SvaConfiguration = { ...PLAIN, asids: 5 };

function unit(title: string, operations: readonly SvaOperation[], world: Partial<SvaConfiguration> = {}): CostUnit {
  const configuration = { ...WORLD, ...world } as SvaConfiguration;
  return { title, configuration, program: { agents: [{ name: 'CPU0', operations }] } };
}

const munmap: SvaOperation = { op: 'munmap', process: 0, page: 0 };
const bind: SvaOperation = { op: 'bind', process: 0, device: 0 };
const unbind: SvaOperation = { op: 'unbind', process: 0, device: 0 };

/** What it costs to tell the SMMU by broadcasts, or by commands. */
export const SVA_COST: CostScenario = {
  designs: [
    { name: 'absent', summary: 'the SMMU cannot hear broadcasts (IDR0.BTM = 0)' },
    { name: 'ignored', summary: 'it ignores them, or may (CR2.PTM = 1)' },
    { name: 'on', summary: 'it hears them; private domains opt out (ASET = 1)' },
    { name: 'blocked', summary: 'as on, and devices are refused while their domain makes room for a process' },
    { name: 'aset-0', summary: 'as on, but private domains do not opt out', mistaken: true },
  ],
  configurations: fc
    .record({
      cpus: fc.constantFrom(1, 2),
      taken: fc.constantFrom(0, 0, 2),
      processes: fc.constantFrom(1, 2, 3),
      masters: fc.constantFrom(1, 2),
      both: fc.boolean(),
      running: fc.boolean(),
      bound: fc.boolean(),
      ats: fc.boolean(),
    })
    .map((drawn) => ({ ...WORLD, ...drawn })),
  programs: (configuration) => programs(svaConfiguration(configuration)),
  world: (configuration, name) => {
    const design = DESIGNS[name];
    if (design === undefined) throw new RangeError(`family sva has no design "${name}"`);
    return new CountingWorld({ ...configuration, broadcast: design.broadcast }, design.parts ?? {});
  },
  units: [
    unit('a bound process unmaps a page', [munmap], { bound: true, running: true }),
    unit('the same, one of two pages', [munmap], { bound: true, running: true, both: true }),
    unit('the same, of a device with ATS', [munmap], { bound: true, running: true, both: true, ats: true }),
    unit('a process that has the domain’s number unmaps a page', [munmap], { running: true }),
    unit('a private domain unmaps a page', [{ op: 'unmap', page: 0 }]),
    unit('bind, which moves the domain', [bind]),
    unit('the last unbind', [unbind], { bound: true, running: true }),
    unit('a bound process exits', [{ op: 'exit' }], { bound: true, running: true }),
  ],
  litmus: SVA_LITMUS.filter(({ id }) =>
    [
      'munmap-two-cpus',
      'munmap-during-bind',
      'munmap-private-number',
      'bind-moves-domain-unmap',
      'bind-moves-domain-munmap',
    ].includes(id),
  ),
};
