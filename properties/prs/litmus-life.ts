import type { Litmus } from '../family.ts';
import { PLAIN, type PrsConfiguration, type PrsOperation } from './configuration.ts';

/** A litmus test of processes that share devices. */
function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly PrsOperation[])[],
  hazards: readonly string[],
  machine: Partial<PrsConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, life: true, ...machine }, program: { agents } };
}

const bind = (process = 0, device = 0): PrsOperation => ({ op: 'bind', device, process });
const unbind = (process = 0, device = 0): PrsOperation => ({ op: 'unbind', device, process });
const EXIT: PrsOperation = { op: 'exit', process: 0 };
const FAULT: PrsOperation = { op: 'fault', device: 0, pasid: 1, group: 0, pages: 1 };
const SEND: PrsOperation = { op: 'send', device: 0, pasid: 1, group: 0, last: true };

/** The smallest program for each way in which the end of a process, or of a bond, can go wrong. */
export const LIFE_LITMUS: readonly Litmus[] = [
  litmus('fault-during-exit', 'a device asks for a page while its process exits', [[FAULT], [EXIT]], []),
  litmus(
    'fault-exit-unbind',
    'a process exits while it is unbound, and its device asks for a page',
    [[FAULT], [EXIT], [unbind()]],
    [],
  ),
  litmus('exit-during-unbind', 'a process exits while its device is unbound', [[EXIT], [unbind()]], []),
  litmus(
    'pasid-of-another-process',
    'a process gets the PASID of one that has exited, while its device goes on',
    [[SEND], [EXIT, unbind(), bind(1)]],
    [],
  ),
  litmus('bound-twice', 'one of two bonds is released, and the device goes on', [[bind(), unbind(), FAULT]], []),
  litmus(
    'two-devices-unbound',
    'two devices of a process are unbound while it exits',
    [[unbind()], [unbind(0, 1)], [EXIT]],
    [],
    { devices: 2, attached: 2 },
  ),
  litmus(
    'stall-exit-unbind',
    'a process exits while it is unbound, and a transaction of it is stalled',
    [[FAULT], [EXIT], [unbind()]],
    [],
    { stall: true },
  ),
];
