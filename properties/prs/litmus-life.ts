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
  litmus(
    'fault-during-exit',
    'a device asks for a page while its process exits',
    [[FAULT], [EXIT]],
    ['sva-handler-no-mmget', 'mm-release-flushes-queue', 'mm-release-missing', 'mm-release-quiet-cd'],
  ),
  litmus(
    'faults-after-exit',
    'a device goes on when its process has exited',
    [[FAULT, FAULT], [EXIT]],
    ['mm-release-no-flush', 'mm-release-no-wait'],
  ),
  litmus(
    'fault-exit-unbind',
    'a process exits while it is unbound, and its device asks for a page',
    [[FAULT], [EXIT], [unbind()]],
    ['mm-release-takes-sva-lock', 'svm-removed-before-cleared'],
  ),
  litmus(
    'exit-during-unbind',
    'a process exits while its device is unbound',
    [[EXIT], [unbind()]],
    ['sva-mmu-notifier-free-srcu', 'svm-quiet-after-clear'],
  ),
  litmus(
    'exit-then-unbind',
    'a process exits before its files are released',
    [[EXIT, unbind()]],
    ['pasid-freed-at-mmput', 'sva-notifier-not-counted'],
  ),
  litmus(
    'pasid-of-another-process',
    'a process gets the PASID of one that has exited, while its device goes on',
    [[SEND], [EXIT, unbind(), bind(1)]],
    ['pasid-freed-at-mmput'],
  ),
  litmus(
    'bound-twice',
    'one of two bonds is released, and then the other one',
    [[bind(), unbind(), unbind()], [FAULT]],
    ['sva-handle-not-counted'],
  ),
  litmus(
    'exit-during-bind',
    'a process exits while it is bound, and its device asks for a page',
    [[bind()], [EXIT], [FAULT]],
    ['sva-bind-without-users'],
    { attached: 0 },
  ),
  litmus(
    'fault-during-unbind',
    'a device asks for a page while it is unbound',
    [[FAULT], [unbind()]],
    ['prq-unbind-no-pasid-flush'],
  ),
  litmus(
    'two-devices-unbound',
    'two devices of a process are unbound while it exits',
    [[unbind()], [unbind(0, 1)], [EXIT]],
    ['sva-unbind-lock-dropped'],
    { devices: 2, attached: 2 },
  ),
  litmus(
    'stall-exit-unbind',
    'a process exits while it is unbound, and a transaction of it is stalled',
    [[FAULT], [EXIT], [unbind()]],
    ['mm-release-takes-sva-lock'],
    { stall: true },
  ),
];
