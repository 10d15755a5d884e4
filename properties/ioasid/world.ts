import { runToCompletion } from '../../engine/complete.ts';
import { HarnessError, type Failure } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import type { Observation } from '../../engine/observe.ts';
import { step, type Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import { DESIGNS, IoasidKernel, SPIDS, type IoasidNote, type IoasidParts } from '../../impl/kernel/ioasid/index.ts';
import type { PasidEvent } from '../../model/contract/events.ts';
import { PasidAllocatorMonitor } from '../../model/contract/pasid-allocators.ts';
import { PasidListenerMonitor } from '../../model/contract/pasid-listeners.ts';
import { PasidSetMonitor } from '../../model/contract/pasid-sets.ts';
import { PasidMonitor } from '../../model/contract/pasid.ts';
import type { Verdict } from '../../model/contract/violation.ts';
import type { Configuration, Counters, Operation, Program, World } from '../family.ts';
import { Tallies } from '../tallies.ts';
import {
  ALLOCATIONS,
  applies,
  describe,
  ioasidConfiguration,
  ioasidOperation,
  OPERATIONS,
  type IoasidConfiguration,
  type IoasidOperation,
} from './configuration.ts';
import { explain } from './explain.ts';
import { makeHardware, type PasidHardware } from './hardware.ts';
import { findLeak } from './leaks.ts';
import { runOperation } from './run.ts';

/** What a run should reach. */
export const WITNESSES: readonly IoasidNote[] = [
  'freed while bound',
  'number used again',
  'quota used up',
  'set closed with numbers',
  'unbind met a free',
  'allocation failed',
  'freed in softirq',
  'number looked up',
  'numbers went round',
  'free of a number that has gone',
  'quota adjusted',
  'adjustment refused',
  'guest PASID looked up',
  'registered late',
  'number of the hypervisor',
  'virtual command refused',
  'allocator kept by its numbers',
  'removed while bound',
];

/** What is counted beside: races that a short run on a busy machine may miss. */
const RARE: readonly IoasidNote[] = ['guest PASID changed under a look', 'unregistered while called'];

/** Owners of PASIDs, what they bind, and the contract over the numbers. */
export class IoasidWorld implements World {
  readonly configuration: IoasidConfiguration;
  readonly machine = new Machine();
  readonly #tallies = new Tallies(this.machine, [...WITNESSES, ...RARE], OPERATIONS);
  readonly #entries: PasidHardware;
  readonly #kernel: IoasidKernel;
  readonly #monitor: PasidMonitor;
  readonly #sets: PasidSetMonitor | undefined;
  readonly #listeners: PasidListenerMonitor | undefined;
  readonly #allocators: PasidAllocatorMonitor | undefined;
  readonly #strict: boolean;
  readonly #initial: number;

  /**
   * @param parts replaced routines: a hazard. They come before those of the design.
   * @param options.strict see `PasidWorld`.
   */
  constructor(configuration: Configuration, parts: Partial<IoasidParts> = {}, { strict = true } = {}) {
    this.configuration = ioasidConfiguration(configuration);
    const { machine } = this;
    const { design, owners, bound } = this.configuration;
    this.#entries = makeHardware(machine.store, this.configuration);
    const world = { ...this.configuration, strict };
    this.#strict = strict;
    this.#monitor = new PasidMonitor(machine.store, world, this.#entries);
    const { sets, chains, custom, hotplug } = this.configuration;
    if (sets) this.#sets = new PasidSetMonitor(machine.store, { ...world, sets: ALLOCATIONS, spids: SPIDS });
    if (chains || hotplug) this.#listeners = new PasidListenerMonitor(machine.store, world, this.#entries);
    if (custom) this.#allocators = new PasidAllocatorMonitor(machine.store);
    this.#kernel = new IoasidKernel(
      {
        machine,
        port: this.#entries,
        emit: (event) => this.#on(event),
        note: (note) => this.#tallies.noted(note),
      },
      { ...this.configuration, allocations: ALLOCATIONS },
      { ...DESIGNS[design], ...parts },
    );
    if (custom) this.#setUp({ op: 'registerAllocator', iommu: 0 });
    for (let owner = 0; owner < owners; owner++) this.#setUp({ op: 'open', owner });
    if (chains) this.#setUpListeners();
    if (bound) for (const op of ['alloc', 'bind'] as const) this.#setUp({ op, owner: 0, device: 0 });
    this.#tallies.clear();
    this.#initial = machine.store.mark();
  }

  get counters(): Counters {
    return this.#tallies.counters;
  }

  /** An allocation that is to fail waits for the next operation of its CPU. */
  get cpusKeepState(): boolean {
    return this.configuration.faults;
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
      agents: [...agents, this.#kernel.wq.daemon(), this.#kernel.rcu.daemon()],
      check: () => this.#check(),
      quiescent: () => {
        const left = (this.#strict ? findLeak(this.#kernel) : undefined) ?? this.#listeners?.atEnd();
        if (left !== undefined) machine.fail(left);
      },
    };
  }

  snapshot(): readonly string[] {
    const { devices, pasids } = this.configuration;
    const places = Array.from({ length: devices * pasids }, (_, at) => [Math.floor(at / pasids), (at % pasids) + 1]);
    return places.flatMap(([device = 0, pasid = 0]) => {
      const owner = this.#entries.entry(device, pasid);
      return owner < 0 ? [] : [`PASID ${pasid} of dev${device} leads to VM${owner}`];
    });
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure);
  }

  describeOperation(_operation: Operation): string {
    return '';
  }

  #setUpListeners(): void {
    const { chains, layout } = this.#kernel;
    if (chains === undefined) return;
    for (let owner = 0; owner < layout.owners; owner++) runToCompletion(chains.register(chains.placeOfKvm(owner)));
    for (let device = 0; device < layout.devices; device++)
      runToCompletion(chains.register(chains.placeOfDevice(device)));
  }

  #on(event: PasidEvent): void {
    this.#judge(this.#monitor.on(event));
    this.#judge(this.#sets?.on(event));
    this.#judge(this.#listeners?.on(event));
    this.#judge(this.#allocators?.on(event));
  }

  #check(): void {
    this.#judge(this.#monitor.check());
    this.#judge(this.#listeners?.check());
    this.#judge(this.#allocators?.check());
  }

  #setUp(operation: IoasidOperation): void {
    runToCompletion(this.#task(operation));
    this.#check();
    const { failure } = this.machine;
    if (failure !== undefined) throw new HarnessError(`set-up fails at ${describe(operation)}: ${failure.message}`);
  }

  #judge(verdict: Verdict): void {
    if (verdict !== undefined) this.machine.fail(verdict);
  }

  #known(operation: Operation): IoasidOperation {
    const known = ioasidOperation(operation);
    if (!applies(known, this.configuration))
      throw new RangeError(`${describe(known)}: this machine has no such operation`);
    return known;
  }

  *#task(operation: IoasidOperation): Task {
    const applied = yield* runOperation(this.#kernel, operation);
    yield* step('return', () => {
      this.#tallies.ran(operation.op, applied);
      return undefined;
    });
  }
}
