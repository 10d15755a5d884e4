import { Cell } from '../../../engine/cell.ts';
import { ObjectPool } from '../../../engine/object.ts';
import { arm_smmu_check_translated } from '../boot.ts';
import type { KernelConfig } from '../config.ts';
import { CORRECT_PARTS, Kernel, type KernelBase, type KernelParts } from '../kernel.ts';
import { PageOwnership } from '../ownership.ts';
import { ArmSmmuAts } from './ats.ts';
import { ArmSmmuAttach } from './attach.ts';
import type { NestingConfig } from './config.ts';
import { ArmSmmuDomains } from './domains.ts';
import { Stage12Tlb } from './encoder.ts';
import { GuestSoftware } from './guest.ts';
import { ArmSmmuInvalidation } from './invalidation.ts';
import { InvsTable } from './invs.ts';
import {
  attachedOf,
  deviceFields,
  nestedFields,
  pagingFields,
  type Device,
  type NestedDomain,
  type PagingDomain,
} from './objects.ts';
import { Stage1Pgtable, Stage2Pgtable } from './stage2-pgtable.ts';
import { StreamTableEntries } from './ste.ts';
import { ArmVsmmu } from './viommu.ts';
import { VmidMap } from './vmid-xa.ts';

/** The parts of the kernel for stage 2, nesting and ATS, each a class whose routines a hazard may override. */
export interface NestedParts {
  readonly tlb: KernelParts['tlb'] & (new (kernel: Kernel) => Stage12Tlb);
  readonly configWriter: KernelParts['configWriter'];
  readonly stage1: new (kernel: NestedKernel) => Stage1Pgtable;
  readonly stage2: new (kernel: NestedKernel) => Stage2Pgtable;
  readonly invalidation: new (kernel: NestedKernel) => ArmSmmuInvalidation;
  readonly ats: new (kernel: NestedKernel) => ArmSmmuAts;
  readonly entries: new (kernel: NestedKernel) => StreamTableEntries;
  readonly domains: new (kernel: NestedKernel) => ArmSmmuDomains;
  readonly attach: new (kernel: NestedKernel) => ArmSmmuAttach;
  readonly viommu: new (kernel: NestedKernel) => ArmVsmmu;
  readonly guest: new (kernel: NestedKernel) => GuestSoftware;
}

/** The correct kernel. */
export const CORRECT_NESTED_PARTS: NestedParts = {
  tlb: Stage12Tlb,
  configWriter: CORRECT_PARTS.configWriter,
  stage1: Stage1Pgtable,
  stage2: Stage2Pgtable,
  invalidation: ArmSmmuInvalidation,
  ats: ArmSmmuAts,
  entries: StreamTableEntries,
  domains: ArmSmmuDomains,
  attach: ArmSmmuAttach,
  viommu: ArmVsmmu,
  guest: GuestSoftware,
};

/** What the kernel stands on; PCI configuration space is where ATS is switched on. */
export interface NestedBase extends KernelBase {
  readonly pciAts: (streamId: number, enabled: boolean) => void;
}

/**
 * A hypervisor's kernel over one SMMUv3, and one guest: paging domains of both stages, nested domains, a virtual SMMU, ATS.
 * It is the kernel of stage 1 with other domains; memory holds `config.memory` and the guest's.
 */
export class NestedKernel extends Kernel {
  readonly nesting: NestingConfig;
  declare readonly tlb: Stage12Tlb;
  readonly invs: InvsTable;
  readonly vmids: VmidMap;
  readonly paging: ObjectPool<PagingDomain>;
  readonly nested: ObjectPool<NestedDomain>;
  readonly devices: readonly Device[];
  /** Handle of the paging domain in each place; 0: none, -1: being made or freed. */
  readonly places: readonly Cell[];
  /** Operations under way on the domain in each place. */
  readonly placeUsers: readonly Cell[];
  /** What callers (and the guest) know of their own mappings. */
  readonly claims: PageOwnership;
  readonly pciAts: NestedBase['pciAts'];

  readonly stage1: Stage1Pgtable;
  readonly stage2: Stage2Pgtable;
  readonly invalidation: ArmSmmuInvalidation;
  readonly ats: ArmSmmuAts;
  readonly entries: StreamTableEntries;
  readonly domainLife: ArmSmmuDomains;
  readonly attach: ArmSmmuAttach;
  readonly viommu: ArmVsmmu;
  readonly guest: GuestSoftware;

  constructor(base: NestedBase, config: KernelConfig, nesting: NestingConfig, parts: Partial<NestedParts> = {}) {
    const use: NestedParts = { ...CORRECT_NESTED_PARTS, ...parts };
    super(base, config, { tlb: use.tlb, configWriter: use.configWriter });
    const { machine } = base;
    this.nesting = nesting;
    this.pciAts = base.pciAts;
    this.invs = new InvsTable(machine);
    this.vmids = new VmidMap(machine, nesting.vmidMax, nesting.vmidMin);
    this.paging = new ObjectPool(machine, 'domain', config.objects, (slot) => pagingFields(machine, this.invs, slot));
    this.nested = new ObjectPool(machine, 'nested', nesting.nestedObjects, nestedFields);
    this.devices = this.masters.map((master) => deviceFields(machine, master));
    const cells = (name: string, internal: boolean): Cell[] =>
      [...nesting.stages, 2].map((_, place) => new Cell(machine, `${name} ${place}`, { internal }));
    this.places = cells('domain slot', false);
    this.placeUsers = cells('domain users', true);
    this.stage1 = new use.stage1(this);
    this.stage2 = new use.stage2(this);
    this.invalidation = new use.invalidation(this);
    this.ats = new use.ats(this);
    this.entries = new use.entries(this);
    this.domainLife = new use.domains(this);
    this.attach = new use.attach(this);
    this.viommu = new use.viommu(this);
    this.guest = new use.guest(this);
    const { pageBytes, blockBytes } = this.stage1;
    this.claims = new PageOwnership(machine, this.spaces, config.pages, pageBytes, blockBytes);
    this.guest.boot();
    for (const device of this.devices) device.plugged.value = device.index + 1;
    if (nesting.ats.includes(true)) arm_smmu_check_translated(base.port);
  }

  /** Spaces of the contract: paging domains by place, one for short-lived domains, then the guest's. */
  override get spaces(): number {
    return this.nesting === undefined ? 1 : this.nesting.firstGuestSpace + this.nesting.guestSpaces;
  }

  /** The place of short-lived domains, which are of stage 2. */
  get sparePlace(): number {
    return this.nesting.stages.length;
  }

  /** The stage of the domain in a place. */
  stageOf(place: number): 1 | 2 {
    return this.nesting.stages[place] ?? 2;
  }

  /** The nest parent of the guest. It is made first of its places, and stays. */
  get parent(): PagingDomain {
    return this.paging.at(this.nesting.parentPlace + 1);
  }

  /** The page tables of a paging domain's stage. */
  tablesOf(stage: number): Stage1Pgtable {
    return stage === 1 ? this.stage1 : this.stage2;
  }

  /** Whether a device is attached to a nested domain. Inside a step. */
  isNested(device: Device): boolean {
    return attachedOf(device.attached.value).kind === 'nested';
  }
}
