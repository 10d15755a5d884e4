import type { Litmus } from '../family.ts';
import { PLAIN, type PrsConfiguration, type PrsOperation } from './configuration.ts';

/** A litmus test: operations by CPU, and how the machine differs from the plain one. */
function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly PrsOperation[])[],
  hazards: readonly string[],
  machine: Partial<PrsConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, ...machine } as PrsConfiguration, program: { agents } };
}

const attach = (space: number, pasid = 1): PrsOperation => ({ op: 'attach', device: 0, pasid, space });
const replace = (space = 1): PrsOperation => ({ op: 'replace', device: 0, pasid: 1, space });
const detach = (device = 0, pasid = 1): PrsOperation => ({ op: 'detach', device, pasid });
const fault = (pages = 1, pasid = 1, device = 0): PrsOperation => ({ op: 'fault', device, pasid, group: 0, pages });
const send = (last: boolean, pasid = 1): PrsOperation => ({ op: 'send', device: 0, pasid, group: 0, last });
const READ: PrsOperation = { op: 'read' };
const WRITE: PrsOperation = { op: 'write', cookie: 0 };
const RELEASE: PrsOperation = { op: 'release', device: 0 };
const failNth = (nth: number, irq = true): PrsOperation => ({ op: 'failNth', nth, irq });
const CLOSE: PrsOperation = { op: 'close' };
const AGAIN: PrsOperation = { op: 'again', device: 0, pasid: 1, group: 0 };
const STOP: PrsOperation = { op: 'stop', device: 0, pasid: 1 };

/** The smallest program for each way in which page requests can go wrong. */
export const PRS_LITMUS: readonly Litmus[] = [
  litmus(
    'fault-during-detach',
    'a device asks for a page while its PASID is detached',
    [[fault()], [detach()]],
    [
      'prq-unbind-no-drain',
      'prq-unbind-no-flush',
      'prq-flush-before-drain',
      'prq-drain-before-clear',
      'drain-prq-abba',
      'iopf-response-before-handling',
    ],
  ),
  litmus('two-detaches', 'a PASID is detached twice at once', [[detach()], [detach()]], ['drain-prq-lock-dropped']),
  litmus(
    'pinned-domain',
    'a device asks for a page of a domain that is pinned',
    [[attach(1, 2)], [fault(), fault(1, 2)]],
    ['iopf-pinned-handled', 'iopf-pinned-by-device'],
    { pasids: 2, pinned: true },
  ),
  litmus('index-repeated', 'a device uses an index again before its response', [[fault(), fault()], [AGAIN]], []),
  litmus(
    'close-during-fault',
    'the file of the fault object is closed while a device asks',
    [[fault()], [CLOSE]],
    ['iommufd-fault-close-unanswered', 'iommufd-fault-close-delivered-only', 'iommufd-fault-close-not-refused'],
    { user: true, life: true },
  ),
  litmus(
    'request-after-clear',
    'a device asks although its PASID was taken from it',
    [[send(true)], [detach()]],
    ['prq-handle-erased-last'],
  ),
  litmus(
    'fault-on-the-wire',
    'a request is on its way when its PASID is detached',
    [[fault()], [detach()]],
    ['prq-unbind-no-devtlb-flush'],
    { wire: true },
  ),
  litmus(
    'partial-at-detach',
    'a group has not become whole when its PASID changes hands',
    [[send(false), detach(), attach(1), fault()]],
    ['prq-partial-kept'],
  ),
  litmus(
    'two-pasids-one-index',
    'groups of two PASIDs have one index',
    [[attach(1, 2), send(false, 1), fault(1, 2)]],
    ['partial-group-merge'],
    { pasids: 2 },
  ),
  litmus(
    'group-without-handler',
    'a group of two requests finds no handler',
    [[send(false), send(true)]],
    ['partial-error-response'],
    {
      attached: 0,
    },
  ),
  litmus('stop-marker', 'a device ends its use of a PASID', [[STOP]], ['prq-stop-marker-answered']),
  litmus(
    'fault-during-attach',
    'a device asks for a page as soon as it can',
    [[attach(0)], [fault()]],
    ['fault-auto-invalid-prq'],
    {
      attached: 0,
    },
  ),
  litmus(
    'two-drains',
    'two devices are detached while both ask for pages',
    [[fault()], [fault(1, 1, 1)], [detach()], [detach(1)]],
    ['prq-complete-lost-wakeup'],
    { devices: 2, attached: 2 },
  ),
  litmus(
    'overflow',
    'the last request of a group is lost, and its index is used again',
    [[fault(2), fault()]],
    ['prq-overflow-partial-kept'],
    { entries: 2 },
  ),
  litmus(
    'overflow-again',
    'the queue overflows when the thread is done with what it has seen',
    [[fault(1), fault(2), fault()]],
    ['prq-overflow-cleared-early', 'prq-interrupt-cleared-late'],
    { entries: 2 },
  ),
  litmus(
    'request-during-release',
    'a device goes while it asks',
    [[send(true)], [RELEASE]],
    ['iopf-report-vs-release-uaf'],
    {
      attached: 0,
    },
  ),
  litmus(
    'group-of-two',
    'a device asks for two pages at once',
    [[fault(2), fault()]],
    ['iopf-response-not-once', 'iopf-partial-not-counted'],
  ),
  litmus(
    'user-fault-during-detach',
    'user space has not answered what it has read when the PASID is detached',
    [[fault()], [detach()]],
    ['iommufd-fault-detach-unanswered', 'iommufd-fault-read-unlocked', 'iommufd-fault-answered-late'],
    { user: true },
  ),
  litmus(
    'user-read-fails',
    'a request cannot be handed to user space',
    [[fault()], [READ]],
    ['iommufd-fault-no-restore'],
    {
      user: true,
    },
  ),
  litmus('user-writes-twice', 'two writers give one cookie', [[fault()], [WRITE]], ['iommufd-fault-cookie-twice'], {
    user: true,
  }),
  litmus(
    'user-two-devices',
    'two devices use one PASID number, and one of them is detached',
    [[fault(1, 1, 1)], [detach()]],
    ['iommufd-fault-by-pasid'],
    { user: true, devices: 2, attached: 2 },
  ),
  litmus(
    'group-without-memory',
    'there is no memory for a group, and its index is used again',
    [[failNth(2), fault(2), fault()]],
    ['iopf-group-alloc-error'],
  ),
  litmus(
    'request-without-memory',
    'there is no memory for the first request of a group',
    [[failNth(1), fault(2)]],
    ['iopf-partial-alloc-error'],
  ),
  litmus(
    'last-without-memory',
    'there is no memory for a group of one request',
    [[failNth(1), fault()]],
    ['iopf-invalid-vs-failure', 'iopf-group-alloc-silent'],
  ),
  litmus(
    'attach-without-memory',
    'there is no memory to attach, and the device tries',
    [[failNth(1, false), attach(0), fault()]],
    ['iopf-attach-alloc-late'],
    { attached: 0 },
  ),
  litmus(
    'fault-during-replace',
    'a device asks for a page while its PASID goes to another space',
    [[fault()], [replace()]],
    ['replace-handle-last', 'replace-handle-first', 'replace-no-drain'],
  ),
  litmus(
    'replace-on-the-wire',
    'a request is on its way when its PASID goes to another space',
    [[fault()], [replace()]],
    ['replace-no-devtlb-flush'],
    { wire: true },
  ),
  litmus(
    'user-fault-during-replace',
    'user space has not answered what it has read when the PASID goes to another space',
    [[fault()], [replace()]],
    ['replace-user-unanswered'],
    { user: true },
  ),
  litmus(
    'replace-without-memory',
    'there is no memory to replace, and the device asks',
    [[failNth(1, false), replace(), fault()]],
    ['replace-alloc-late'],
  ),
  litmus(
    'stall-during-detach',
    'a transaction stalls while its PASID is detached',
    [[fault()], [detach()]],
    ['smmu-detach-no-drain', 'smmu-drain-by-cons', 'smmu-stall-term'],
    { stall: true },
  ),
  litmus(
    'stall-then-another-owner',
    'a PASID gets another owner while a transaction of the first one is stalled, and its tag is used again',
    [[fault()], [detach(), attach(1), fault()]],
    ['smmu-detach-no-drain', 'smmu-stall-term'],
    { stall: true },
  ),
  litmus(
    'stall-without-handler',
    'a transaction is aborted, and the next one gets its tag',
    [[failNth(1), fault(), fault()]],
    ['smmu-resume-twice'],
    { stall: true },
  ),
];
