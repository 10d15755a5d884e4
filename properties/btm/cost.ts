import fc from 'fast-check';
import { DESIGNS } from '../../impl/kernel/vbtm/index.ts';
import type { CostScenario, CostUnit } from '../cost/scenario.ts';
import type { Configuration } from '../family.ts';
import { btmConfiguration, PLAIN, STARTS, type BtmConfiguration } from './configuration.ts';
import { BROADCAST_HAZARDS } from './hazards/broadcasts.ts';
import type { BtmHazard } from './hazards/hazard.ts';
import { VMID_HAZARDS } from './hazards/vmids.ts';
import { BTM_LITMUS } from './litmus.ts';
import type { BtmOperation } from './operations.ts';
import { programs } from './programs.ts';
import { BtmWorld } from './world.ts';

/** Mistaken designs: one that is safe, with one routine replaced. */
const MISTAKES: Readonly<Record<string, { readonly design: string; readonly hazard: string }>> = {
  'one-map': { design: 'pinned', hazard: 'pinned-vmid-alias-private' },
  trust: { design: 'pinned', hazard: 'btm-under-invalidation-s2' },
};
const HAZARDS: readonly BtmHazard[] = [...VMID_HAZARDS, ...BROADCAST_HAZARDS];

/** Worlds that every design can build: room for two pinned VMIDs. */
const WORLD = { ...PLAIN, vmids: 5, taken: 1, other: true };

function unit(title: string, operations: readonly BtmOperation[], world: Partial<BtmConfiguration> = {}): CostUnit {
  const configuration = { ...WORLD, ...world } as BtmConfiguration;
  return { title, configuration, program: { agents: [{ name: 'CPU0', operations }] } };
}

const run = (machine: number): BtmOperation => ({ op: 'run', machine });
const kvmUnmap = (machine: number): BtmOperation => ({ op: 'kvmUnmap', machine });

/** What it costs to keep KVM and the SMMU apart, or together. */
export const BTM_COST: CostScenario = {
  designs: [
    { name: 'off', summary: 'the SMMU takes no part in broadcasts, and has VMIDs of its own' },
    { name: 'private', summary: 'it takes part, and has VMIDs of its own, whatever KVM uses' },
    { name: 'disjoint', summary: 'it takes part, and has VMIDs that KVM does not use' },
    {
      name: 'pinned',
      summary: 'devices of a virtual machine have its VMID, pinned; its guest invalidates by TLBI alone',
    },
    { name: 'one-map', summary: 'as pinned, but private VMIDs are not kept apart', mistaken: true },
    { name: 'trust', summary: 'as pinned, but stage 2 is left to the broadcasts of KVM', mistaken: true },
  ],
  configurations: fc
    .record({
      cpus: fc.constantFrom(1, 2),
      taken: fc.constantFrom(1, 2),
      mapped: fc.constantFrom(1, 1, 0),
      device0: fc.constantFrom(...STARTS, 'nested' as const, 'nested' as const),
      device1: fc.constantFrom(...STARTS),
    })
    .map((drawn) => ({ ...WORLD, ...drawn, vmids: drawn.cpus + 3 })),
  programs: (configuration) => programs(btmConfiguration(configuration)),
  world: (configuration: Configuration, name) => {
    const { design = name, hazard } = MISTAKES[name] ?? {};
    if (!DESIGNS.some((known) => known === design)) throw new RangeError(`family btm has no design "${name}"`);
    const parts = HAZARDS.find(({ id }) => id === hazard)?.parts ?? {};
    return new BtmWorld({ ...configuration, design }, parts, true);
  },
  units: [
    unit('guest unmaps a page, device nested', [{ op: 'guestUnmap' }]),
    unit('guest unmaps a table, device nested', [{ op: 'guestUnmapTable' }]),
    unit('iommufd unmaps a page, device nested', [{ op: 'unmap', place: 0, page: 0 }]),
    unit('KVM unmaps a page, device nested', [run(0), kvmUnmap(0)]),
    unit('KVM unmaps a page, device of another VM', [run(0), kvmUnmap(0)], { device0: 'other' }),
    unit('roll-over, device nested', [
      { op: 'churn', times: 3 },
      { op: 'churn', times: 1 },
    ]),
  ],
  litmus: BTM_LITMUS.filter(({ id }) =>
    ['guest-unmap', 'unmap-both-stage-2', 'guest-unmap-during-kvm-unmap', 'private-beside-pinned'].includes(id),
  ).map(({ id, configuration, program }) => ({ id, configuration, program })),
};
