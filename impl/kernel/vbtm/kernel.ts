import { Cell } from '../../../engine/cell.ts';
import { NestedKernel, type NestedBase, type NestedParts, type PagingDomain } from '../nested/index.ts';
import type { KernelConfig } from '../config.ts';
import type { VbtmConfig } from './config.ts';
import { VbtmDomains } from './domains.ts';
import { VbtmGuest } from './guest.ts';
import { IommufdContexts } from './iommufd.ts';
import type { DeviceProbe } from './probe.ts';
import type { GuestCpu, KvmSide } from './port.ts';

/** The parts of the kernel, each a class whose routines a hazard may override. */
export interface VbtmParts extends NestedParts {
  readonly iommufd: typeof IommufdContexts;
  readonly probe: typeof DeviceProbe;
}

/** What the kernel stands on: KVM, and the CPU that the guest runs on, besides. */
export interface VbtmBase extends NestedBase {
  readonly kvm: KvmSide;
  readonly guestCpu: GuestCpu;
}

/** A hypervisor's kernel over one SMMUv3 that may take part in broadcast TLB maintenance, next to KVM. */
export class VbtmKernel extends NestedKernel {
  declare readonly nesting: VbtmConfig;
  readonly kvm: KvmSide;
  readonly guestCpu: GuestCpu;
  readonly iommufd: IommufdContexts;
  readonly #kvmOf: readonly Cell[];
  readonly #stage2Of: readonly Cell[];

  constructor(base: VbtmBase, config: KernelConfig, nesting: VbtmConfig, parts: Partial<VbtmParts> = {}) {
    super(base, config, nesting, { domains: VbtmDomains, guest: VbtmGuest, ...parts });
    this.kvm = base.kvm;
    this.guestCpu = base.guestCpu;
    this.iommufd = new (parts.iommufd ?? IommufdContexts)(base.machine, base.kvm, nesting.machines);
    const format = (_offset: number, vm: number): string => (vm === 0 ? 'NULL' : base.kvm.nameOf(vm - 1));
    this.#kvmOf = Array.from(
      { length: config.objects },
      (_, at) => new Cell(base.machine, `domain${at}.kvm`, { format }),
    );
    this.#stage2Of = Array.from(
      { length: nesting.machines },
      (_, machine) => new Cell(base.machine, `smmu.stage2[${base.kvm.nameOf(machine)}]`),
    );
    this.iommufd.boot();
  }

  /** 1 + number of the virtual machine whose KVM a domain has a reference to, 0: none. */
  kvmOf(domain: PagingDomain): Cell {
    return this.#kvmOf[domain.handle - 1] as Cell;
  }

  /** Handle of the domain that is the stage 2 of a virtual machine under its own VMID, 0: none. */
  stage2Of(machine: number): Cell {
    return this.#stage2Of[machine] as Cell;
  }

  /** Whether the VMIDs of virtual machines are KVM's. */
  get pins(): boolean {
    return this.nesting.design === 'pinned';
  }
}
