import type { Litmus } from '../family.ts';
import { PLAIN, type IoasidConfiguration, type IoasidOperation, type OperationOfOwner } from './configuration.ts';

/** A litmus test: operations by CPU, and how the machine differs from the plain one. */
export function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly IoasidOperation[])[],
  hazards: readonly string[],
  machine: Partial<IoasidConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, ...machine } as IoasidConfiguration, program: { agents } };
}

/** An operation of a virtual machine that takes nothing else. */
export function on(op: OperationOfOwner, owner = 0): IoasidOperation {
  return { op, owner };
}

/** A device is bound to VM0's number. */
export function bind(device = 0): IoasidOperation {
  return { op: 'bind', owner: 0, device };
}

/** The n-th allocation fails. */
export function failNth(nth: number): IoasidOperation {
  return { op: 'failNth', nth };
}
