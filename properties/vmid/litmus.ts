import type { Litmus } from '../family.ts';
import { PLAIN, type VmidConfiguration, type VmidOperation } from './configuration.ts';

/** A litmus test: operations by CPU, and how the machine differs from the plain one. */
function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly VmidOperation[])[],
  hazards: readonly string[],
  machine: Partial<VmidConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, ...machine } as VmidConfiguration, program: { agents } };
}

const [A, B, C, D] = [0, 1, 2, 3];
/** First virtual CPUs of machines, one after the other. */
const run = (...vms: readonly number[]): VmidOperation[] => vms.map((vm) => ({ op: 'run', vm, vcpu: 0 }));
const second = (vm: number): VmidOperation => ({ op: 'run', vm, vcpu: 1 });
const unmap = (vm: number): VmidOperation => ({ op: 'unmap', vm, page: 0 });

/** The smallest program for each way in which VMIDs can go wrong. */
export const VMID_LITMUS: readonly Litmus[] = [
  litmus(
    'vmid-rollover-once',
    'a CPU runs a machine while another one begins a generation',
    [run(A), run(B, C, D)],
    [],
    {
      taken: 1,
    },
  ),
  litmus('vmid-unmap', 'a page is taken back that a guest on another CPU uses', [run(A), [unmap(A)]], []),
  litmus('vmid-two', 'two', [run(A, B), [second(A)]], [], { taken: 2, vcpus: 2 }),
];
