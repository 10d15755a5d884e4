import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import { CpuWorld } from '../cpu-world.ts';
import type { Configuration, Operation } from '../family.ts';
import {
  describe,
  vmidConfiguration,
  vmidOperation,
  vmName,
  type VmidConfiguration,
  type VmidOperation,
} from './configuration.ts';
import { explain } from './explain.ts';
import { NOTES, VmidKernel, type VmidParts } from './kernel.ts';
import { TABLES } from './pages.ts';

/** What a run should reach. */
export const WITNESSES: readonly string[] = NOTES;

/** CPUs that run virtual machines, with KVM's VMID allocator, and a contract over what guests can reach. */
export class VmidWorld extends CpuWorld<VmidConfiguration, VmidOperation> {
  /** @param parts replaced routines: a hazard. */
  constructor(configuration: Configuration, parts: Partial<VmidParts> = {}) {
    const known = vmidConfiguration(configuration);
    const vhe = known.vhe && parts.noVhe !== true;
    const tables = { base: TABLES, frames: known.vms + 1 };
    super(known, tables, (machine, memories) => new VmidKernel(machine, memories, { ...known, vhe }, parts));
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure);
  }

  describeOperation(operation: Operation): string {
    return describe(vmidOperation(operation));
  }

  protected known(operation: Operation): VmidOperation {
    const known = vmidOperation(operation);
    const { vms, vcpus, pages } = this.configuration;
    if ('vm' in known && known.vm >= vms) throw new RangeError(`there is no virtual machine ${vmName(known.vm)}`);
    if ('vcpu' in known && known.vcpu >= vcpus) throw new RangeError(`there is no virtual CPU ${known.vcpu}`);
    if ('page' in known && known.page >= pages) throw new RangeError(`there is no page ${known.page}`);
    return known;
  }
}
