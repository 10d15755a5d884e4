import type { Machine } from '../../engine/machine.ts';
import type { Task } from '../../engine/step.ts';
import {
  Kvm,
  KvmHyp,
  KvmMmu,
  KvmVcpus,
  KvmVmid,
  type Stage2Owner,
  type VmidNote,
} from '../../impl/kernel/kvm/index.ts';
import {
  MachineOperations,
  VirtualMachines,
  type GuestCpu,
  type IommufdContexts,
} from '../../impl/kernel/vbtm/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { vmName } from '../vmid/configuration.ts';
import type { VmidContract } from '../vmid/contract.ts';
import { pageAt, physicalAddress, tableAddress } from '../vmid/pages.ts';
import type { BtmConfiguration } from './configuration.ts';
import type { BtmHardware } from './hardware.ts';
import { IPAS } from './memory-map.ts';

/** Virtual machines that programs name, and the one that comes and goes. */
const MACHINES = 3;
export const CHURN = MACHINES;
/** All of them. */
export const MACHINES_ALL = MACHINES + 1;

/** Replaced routines of KVM. */
export interface KvmParts {
  readonly vmid: typeof KvmVmid;
  readonly hyp: typeof KvmHyp;
  readonly mmu: typeof KvmMmu;
  readonly vcpus: typeof KvmVcpus;
  readonly machines: typeof VirtualMachines;
}

/** KVM of a world, its virtual machines, and the CPUs as guests see them. */
export class Machines {
  readonly side: VirtualMachines;
  readonly guestCpu: GuestCpu;
  readonly vmid: KvmVmid;
  readonly #machine: Machine;
  readonly #vcpus: KvmVcpus;
  readonly #mmu: KvmMmu;
  readonly #cpus: number;
  #operations: MachineOperations | undefined;

  constructor(
    machine: Machine,
    world: {
      readonly memory: PhysicalMemory;
      readonly hardware: BtmHardware;
      readonly contract: () => VmidContract;
      readonly vmidBase: number;
      readonly cpuNow: () => number;
      readonly noted: (note: VmidNote) => void;
    },
    { cpus, vmids, taken }: BtmConfiguration,
    parts: Partial<KvmParts>,
  ) {
    this.#machine = machine;
    this.#cpus = cpus;
    const { hardware, memory, cpuNow } = world;
    const kvms = Array.from({ length: MACHINES_ALL }, (_, at) => new Kvm(machine, vmName(at), tableAddress(at), cpus));
    const hyp = new (parts.hyp ?? KvmHyp)(machine, hardware, { cpus });
    this.vmid = new (parts.vmid ?? KvmVmid)(
      machine,
      hyp,
      { cpus, vmids, taken },
      {
        noted: world.noted,
        reserved: () => undefined,
      },
    );
    const index = (kvm: Kvm): number => kvms.indexOf(kvm);
    const owner: Stage2Owner = {
      unmapping: (kvm, ipa) => world.contract().unmapping(index(kvm), pageAt(ipa)),
      freed: (kvm, ipa) => world.contract().freed(index(kvm), pageAt(ipa)),
      mapping: (kvm, ipa) => {
        const version = world.contract().mapping(index(kvm), pageAt(ipa));
        return physicalAddress({ vm: index(kvm), page: pageAt(ipa), version });
      },
    };
    this.#mmu = new (parts.mmu ?? KvmMmu)(machine, memory, hyp, owner, IPAS);
    this.#vcpus = new (parts.vcpus ?? KvmVcpus)(machine, hyp, this.vmid);
    const of = { kvms, vmid: this.vmid, mmu: this.#mmu, vmidBase: world.vmidBase, cpuNow };
    this.side = new (parts.machines ?? VirtualMachines)(machine, of);
    this.guestCpu = {
      tlbi: (tlbi, shareable) => hardware.guestTlbi(cpuNow(), tlbi, shareable),
      dsb: (shareable) => (shareable ? hardware.dsbIsh(cpuNow()) : hardware.dsbNsh(cpuNow())),
    };
  }

  /** To be called once, when the rest of the kernel is there. */
  connect(iommufd: IommufdContexts, contexts: number): void {
    this.#operations = new MachineOperations(this.#machine, {
      cpus: this.#cpus,
      machines: this.side,
      vcpus: this.#vcpus,
      mmu: this.#mmu,
      iommufd,
      contexts,
    });
  }

  get operations(): MachineOperations {
    if (this.#operations === undefined) throw new Error('not connected');
    return this.#operations;
  }

  /** Set-up: machines exist, and KVM maps the first page of each. */
  boot(mapped: number, contract: VmidContract): void {
    for (let machine = 0; machine < MACHINES; machine++) {
      this.side.create(machine);
      if (mapped === 0) continue;
      const version = contract.mapping(machine, 0);
      this.#mmu.setPte(this.side.kvm(machine), IPAS[0], physicalAddress({ vm: machine, page: 0, version }));
    }
  }

  /** `run`, for an operation of a guest's software. */
  *asGuest(cpu: number, machine: number, task: () => Task<boolean>): Task<boolean> {
    return (yield* this.operations.runGuest(cpu, machine)) && (yield* task());
  }
}
