import { runToCompletion } from '../../engine/complete.ts';
import type { AgentSpec } from '../../engine/agent.ts';
import { HarnessError, type Failure } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import type { Observation } from '../../engine/observe.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import { IopfKernel, type IopfNote, type IopfParts } from '../../impl/kernel/iopf/index.ts';
import type { PageRequestEvent, PasidEvent } from '../../model/contract/events.ts';
import { PageRequestMonitor } from '../../model/contract/page-requests.ts';
import { PasidMonitor } from '../../model/contract/pasid.ts';
import type { Verdict } from '../../model/contract/violation.ts';
import type { Configuration, Counters, Operation, Program, World } from '../family.ts';
import { Tallies } from '../tallies.ts';
import {
  applies,
  ATTACHMENTS,
  describe,
  hasProcesses,
  pinnedSpace,
  OPERATIONS,
  prsConfiguration,
  prsOperation,
  REQUESTS,
  SPACES,
  type PrsConfiguration,
  type Of,
  type PrsOperation,
} from './configuration.ts';
import { explain, explainStuck } from './explain.ts';
import { PrsHardware, type HardwareNote } from './hardware.ts';
import { DeviceJobs, type JobNote } from './jobs.ts';
import { findLeak } from './leaks.ts';

type Note = IopfNote | HardwareNote | JobNote | 'exit with faults outstanding';

/** What a run should reach. */
export const WITNESSES: readonly Note[] = [
  'overflow',
  'overflow cleared',
  'partial requests discarded',
  'partial group at detach',
  'group of several requests',
  'request without a handler',
  'request of a device that has gone',
  'drain waited for the queue',
  'two drains at once',
  'message on the wire at detach',
  'PASID leads to another space',
  'Stop Marker',
  'group read and not answered at detach',
  'allocation failed',
  'request while its PASID is replaced',
  'STAG used again',
  'exit while bound',
  'exit with faults outstanding',
  'exit while a drain is under way',
  'request of a process that has exited',
  'address space torn down by a page fault',
  'PASID reused',
  'request of a pinned domain',
  'index repeated',
  'response after PASID reuse attempted',
  'closed with groups that nobody has read',
  'closed with groups that nobody has answered',
];

/** Devices that fault, the software that looks after them, and the contract of page requests. */
export class PrsWorld implements World {
  readonly configuration: PrsConfiguration;
  readonly machine = new Machine();
  readonly #tallies = new Tallies(this.machine, WITNESSES, OPERATIONS);
  readonly #hardware: PrsHardware;
  readonly #kernel: IopfKernel;
  readonly #jobs: DeviceJobs;
  readonly #monitor: PageRequestMonitor;
  /** Of processes' PASIDs, if they share any. */
  readonly #pasids: PasidMonitor | undefined;
  readonly #initial: number;

  /** @param parts replaced routines: a hazard. */
  constructor(configuration: Configuration, parts: Partial<IopfParts> = {}) {
    this.configuration = prsConfiguration(configuration);
    const { devices, pasids, attached, user, stall } = this.configuration;
    const { machine } = this;
    const closable = user && this.configuration.life;
    const pinned = pinnedSpace(this.configuration);
    const processes = hasProcesses(this.configuration) ? SPACES : 0;
    this.#monitor = new PageRequestMonitor(machine.store, {
      devices,
      pasids,
      requests: REQUESTS,
      processes,
      closable,
      pinned,
    });
    const emit = (event: PageRequestEvent | PasidEvent): void => this.#judge(event);
    const note = (what: Note): void => this.#tallies.noted(what);
    const written = (): void => this.#failed(this.#pasids?.check());
    this.#hardware = new PrsHardware(machine, this.configuration, { emit, note, written });
    this.#jobs = new DeviceJobs(this.#hardware, this.configuration, this.#tallies);
    const { entries } = this.#hardware;
    const use = {
      entry: (device: number, pasid: number) => entries.owner(device, pasid),
      cached: (device: number, pasid: number) => entries.cached(device, pasid),
    };
    const numbers = { devices, pasids, owners: SPACES, strict: true, owner: 'mm' };
    this.#pasids = processes > 0 ? new PasidMonitor(machine.store, numbers, use) : undefined;
    const layout = {
      devices,
      pasids,
      requests: REQUESTS,
      attachments: ATTACHMENTS,
      user,
      stall,
      processes,
      closable,
      pinned,
    };
    this.#kernel = new IopfKernel({ machine, port: this.#hardware, emit, note }, layout, parts);
    for (let device = 0; device < attached; device++)
      this.#setUp(
        processes > 0 ? { op: 'bind', device, process: 0 } : { op: 'attach', device, pasid: 1, space: device },
      );
    this.#tallies.clear();
    this.#initial = machine.store.mark();
  }

  get counters(): Counters {
    return this.#tallies.counters;
  }

  load(program: Program): System {
    const { machine } = this;
    machine.store.rollback(this.#initial);
    machine.failure = undefined;
    const agents = program.agents.map(({ name, operations }) => ({
      name,
      context: 'process' as const,
      daemon: false,
      operations: operations.map((operation) => {
        const known = this.#known(operation);
        return { label: describe(known), start: (): Task => this.#task(known) };
      }),
    }));
    return {
      machine,
      agents: [...agents, this.#kernel.prq.daemon(), this.#handler(), ...this.#callbacks(), ...this.#hardware.links()],
      quiescent: () => {
        const left = this.#monitor.atEnd() ?? findLeak(this.#kernel);
        if (left !== undefined) machine.fail(left);
      },
    };
  }

  snapshot(): readonly string[] {
    const { devices, pasids } = this.configuration;
    return Array.from({ length: devices }, (_, device) =>
      Array.from({ length: pasids }, (_each, at) => {
        const space = this.#hardware.entries.owner(device, at + 1);
        return space < 0 ? [] : [`PASID ${at + 1} of dev${device} leads to mm${space}`];
      }).flat(),
    ).flat();
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure);
  }

  explainStuck(observation: Observation, failure: Failure) {
    return explainStuck(observation, failure);
  }

  describeOperation(_operation: Operation): string {
    return '';
  }

  /** Who looks after requests. */
  #handler(): AgentSpec {
    return this.#kernel.fault?.daemon() ?? this.#kernel.wq.daemon();
  }

  /** Who runs callbacks after a grace period. */
  #callbacks(): AgentSpec[] {
    const { life } = this.#kernel;
    return life === undefined ? [] : [life.notifiers.srcu.daemon()];
  }

  #judge(event: PageRequestEvent | PasidEvent): void {
    if (isOfNumbers(event)) {
      if (event.type === 'pasid.alloc') this.#hardware.allocated(event.pasid);
      this.#failed(this.#pasids?.on(event));
      return;
    }
    if (event.type === 'pri.exit' && this.#monitor.isWaiting(event.space))
      this.#tallies.noted('exit with faults outstanding');
    this.#failed(this.#monitor.on(event));
  }

  #failed(verdict: Verdict): void {
    if (verdict !== undefined) this.machine.fail(verdict);
  }

  #known(operation: Operation): PrsOperation {
    const known = prsOperation(operation);
    const { devices, pasids } = this.configuration;
    if (!applies(known.op, this.configuration))
      throw new RangeError(`${describe(known)}: there is nothing of that kind on this machine`);
    if ('device' in known && known.device >= devices)
      throw new RangeError(`${describe(known)}: there is no dev${known.device}`);
    if ('pasid' in known && known.pasid > pasids)
      throw new RangeError(`${describe(known)}: there is no PASID ${known.pasid}`);
    return known;
  }

  #task(operation: PrsOperation): Task {
    switch (operation.op) {
      case 'attach':
        return this.#attach(operation);
      case 'replace':
        return this.#replace(operation);
      case 'detach':
        return this.#detach(operation);
      case 'release':
        return this.#release(operation);
      case 'bind':
      case 'unbind':
        return this.#bond(operation);
      case 'exit':
        return this.#exit(operation);
      case 'close':
        return this.#close();
      case 'fault':
        return this.#jobs.fault(operation);
      case 'send':
        return this.#jobs.send(operation);
      case 'again':
        return this.#jobs.again(operation);
      case 'stop':
        return this.#jobs.stop(operation);
      case 'read':
        return this.#read();
      case 'write':
        return this.#write(operation);
      case 'failNth':
        return this.#failNth(operation);
    }
  }

  *#attach({ device, pasid, space }: Of<'attach'>): Task {
    const { attach } = this.#kernel;
    yield* this.#counted('attach', yield* attach.iommu_attach_device_pasid(this.#kernel.device(device), pasid, space));
  }

  *#replace({ device, pasid, space }: Of<'replace'>): Task {
    const { replace } = this.#kernel;
    const done = yield* replace.iommu_replace_device_pasid(this.#kernel.device(device), pasid, space);
    yield* this.#counted('replace', done);
  }

  *#detach({ device, pasid }: Of<'detach'>): Task {
    const { attach } = this.#kernel;
    yield* this.#counted('detach', yield* attach.iommu_detach_device_pasid(this.#kernel.device(device), pasid));
  }

  *#release({ device }: Of<'release'>): Task {
    yield* this.#counted('release', yield* this.#kernel.attach.iommu_release_device(this.#kernel.device(device)));
  }

  *#bond({ op, device, process }: Of<'bind' | 'unbind'>): Task {
    const { life } = this.#kernel;
    if (life !== undefined) yield* this.#counted(op, yield* life[op](process, this.#kernel.device(device)));
  }

  *#exit({ process }: Of<'exit'>): Task {
    const { life } = this.#kernel;
    if (life !== undefined) yield* this.#counted('exit', yield* life.exit(process));
  }

  *#close(): Task {
    const file = this.#kernel.fault?.file;
    yield* this.#counted('close', file !== undefined && (yield* file.close()));
  }

  *#read(): Task {
    const { fault } = this.#kernel;
    if (fault !== undefined) yield* fault.read(true);
    yield* this.#counted('read', fault !== undefined);
  }

  *#write({ cookie }: Of<'write'>): Task {
    const { fault } = this.#kernel;
    yield* this.#counted('write', fault !== undefined && (yield* fault.write(cookie)));
  }

  *#failNth({ nth, irq }: Of<'failNth'>): Task {
    const { failNth } = this.#kernel;
    yield* irq ? failNth.armTask(this.#kernel.prq.threadName, nth) : failNth.arm(nth);
    yield* this.#counted('failNth', true);
  }

  #counted(op: PrsOperation['op'], applied: boolean): Step<undefined> {
    return step('return', () => {
      this.#tallies.ran(op, applied);
      return undefined;
    });
  }

  #setUp(operation: PrsOperation): void {
    runToCompletion(this.#task(operation));
    const { failure } = this.machine;
    if (failure !== undefined) throw new HarnessError(`set-up fails at ${describe(operation)}: ${failure.message}`);
  }
}

function isOfNumbers(event: PageRequestEvent | PasidEvent): event is PasidEvent {
  return event.type.startsWith('pasid.');
}
