import { runToCompletion } from '../../engine/complete.ts';
import { HarnessError, type Failure } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import type { Observation } from '../../engine/observe.ts';
import type { Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import { GuestOperations } from '../../impl/kernel/nested/index.ts';
import { VbtmHostOperations } from '../../impl/kernel/vbtm/index.ts';
import { READ, WRITE } from '../../model/contract/events.ts';
import { cpuNamed } from '../cpu-named.ts';
import type { Configuration, Operation, Program } from '../family.ts';
import type { CostWorld, Costs } from '../cost/scenario.ts';
import { structure, type FailureSources } from '../asid/explain.ts';
import { Reported } from '../reported.ts';
import { vmName } from '../vmid/configuration.ts';
import { btmConfiguration, type BtmConfiguration } from './configuration.ts';
import { explain } from './explain.ts';
import { LeakCheck } from './leaks.ts';
import { BLOCK_BYTES } from './memory-map.ts';
import { named } from './naming.ts';
import { btmOperation, describe, type BtmOperation } from './operations.ts';
import { Platform, type BtmParts } from './platform.ts';
import { guestTask, taskOf } from './tasks.ts';
import { Witnesses } from './witnesses.ts';

/** Virtual machines with devices, KVM and the SMMU's driver over the architecture, with the contracts looking on. */
export class BtmWorld implements CostWorld {
  readonly configuration: BtmConfiguration;
  readonly machine = new Machine();
  readonly costs: Costs;
  readonly #platform: Platform;
  readonly #host: VbtmHostOperations;
  readonly #guest: GuestOperations;
  readonly #witnesses: Witnesses;
  readonly #leaks: LeakCheck;
  readonly #initial: number;
  /** The CPU of each agent. */
  #cpus: readonly number[] = [];
  readonly #reported = new Reported<FailureSources>(this.machine, (text) => this.#named(text));

  /**
   * @param parts replaced routines of the kernel: a hazard.
   * @param cost counts how much is held at each invalidation, which takes time.
   */
  constructor(configuration: Configuration, parts: Partial<BtmParts> = {}, cost = false) {
    this.configuration = btmConfiguration(configuration);
    const { machine } = this;
    this.#witnesses = new Witnesses(machine);
    this.#platform = new Platform(machine, this.configuration, parts, {
      witnesses: this.#witnesses,
      cpuNow: () => this.#cpus[machine.current] ?? 0,
      report: (violation) => this.#report(violation),
      cost,
    });
    const { kernel, costs } = this.#platform;
    this.costs = costs;
    this.#host = new VbtmHostOperations(kernel);
    this.#guest = new GuestOperations(kernel);
    this.#setUp();
    this.#leaks = new LeakCheck(this.#platform);
    this.#initial = machine.store.mark();
  }

  get counters() {
    return this.#witnesses.counters;
  }

  /** A CPU goes on running what it was told to. */
  get cpusKeepState(): boolean {
    return true;
  }

  load(program: Program): System {
    const { machine } = this;
    machine.store.rollback(this.#initial);
    machine.failure = undefined;
    this.#reported.clear();
    this.#platform.clearChanges();
    this.#cpus = program.agents.map(({ name }) => cpuNamed(name, this.configuration.cpus));
    const agents = program.agents.map(({ name, operations }, agent) => ({
      name,
      context: 'process' as const,
      daemon: false,
      operations: operations.map((operation) => {
        const checked = btmOperation(operation);
        const cpu = this.#cpus[agent] as number;
        const start = (): Task => this.#witnesses.counted(checked.op, this.#task(cpu, checked));
        return { label: describe(checked), start };
      }),
    }));
    return {
      machine,
      agents,
      check: () => this.#platform.afterStep(),
      quiescent: () => {
        const leak = this.#leaks.find();
        if (leak !== undefined) machine.fail(leak);
      },
    };
  }

  snapshot(): readonly string[] {
    const { architecture, hardware, virtual } = this.#platform;
    const cpus = Array.from({ length: this.configuration.cpus }, (_, cpu) => {
      const machine = virtual.running(cpu);
      return `CPU${cpu} ${machine < 0 ? 'is in the host' : `is in ${vmName(machine)}, VMID ${hardware.vmid(cpu)}`}`;
    });
    const held = architecture
      .heldTranslations()
      .filter(({ kind }) => kind === 'translation')
      .map(
        ({ text, doomed }) =>
          `${doomed ? 'may still be held' : 'held'}: ${this.#named(text).replace(/, walked.*/, '')}`,
      );
    return [...cpus, ...held];
  }

  through(failure: Failure): string | undefined {
    return structure(failure, this.#reported.of(failure));
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure, this.#reported.of(failure));
  }

  describeOperation(operation: Operation): string {
    const { paging, places } = this.#platform.kernel;
    const { place } = operation;
    if (typeof place !== 'number') return '';
    const handle = places[place]?.value ?? 0;
    if (handle <= 0) return `there is no domain${place} at first`;
    const domain = paging.at(handle);
    return `${domain.name} has VMID ${domain.vmid.value}`;
  }

  #task(cpu: number, operation: BtmOperation): Task<boolean> {
    const { stage1 } = this.configuration;
    const { machines } = this.#platform;
    return taskOf({ host: this.#host, guest: this.#guest, machines, stage1 }, cpu, operation);
  }

  #report(violation: Failure): void {
    this.#reported.report(violation, (of) => this.#sourcesOf(of));
  }

  #named(text: string): string {
    return named(this.#platform.kernel, text);
  }

  /** What in the SMMU makes the violation possible: asked while the state is still there. */
  #sourcesOf({ data = {} }: Failure): FailureSources {
    const { architecture } = this.#platform;
    const iova = Number(data['iova'] ?? NaN);
    const slot = architecture.universe.slots.findIndex(
      ({ streamId, va }) => streamId === Number(data['stream']) && va === iova,
    );
    const configured = architecture.heldTranslations().map(({ text }) => this.#named(text));
    if (slot < 0) return { sources: [], configured: [] };
    const pa = data['pa'] === undefined ? undefined : Number(data['pa']);
    const outcomes = architecture.outcomes(slot).toSorted((a, b) => a.id - b.id);
    const wanted = outcomes.filter((outcome) => pa === undefined || ('pa' in outcome && outcome.pa === pa));
    const sources = wanted.flatMap((outcome) => architecture.explain(slot, outcome));
    return { sources: [...new Set(sources.map(({ text }) => this.#named(text)))], configured };
  }

  /** Brings the world to its initial state, by the kernel's own operations. */
  #setUp(): void {
    const { mapped, other, device0, device1 } = this.configuration;
    const { kernel, machines } = this.#platform;
    machines.boot(mapped, this.#platform.virtual);
    for (const place of other ? [0, 1, 2] : [0, 2]) this.#must(this.#host.domainAlloc(place));
    const { guestIpa, guestMemory } = kernel.nesting;
    const { stage2, parent } = kernel;
    this.#must(stage2.arm_lpae_map_pages(parent, guestIpa, guestMemory.base, BLOCK_BYTES, READ | WRITE));
    for (const device of [0, 1]) this.#must(this.#host.vdeviceAlloc(device));
    if (mapped > 0) {
      for (const place of [0, 1, 2])
        if ((kernel.places[place]?.value ?? 0) > 0) this.#must(this.#task(0, { op: 'map', place, page: 0, frame: 0 }));
      this.#must(guestTask(this.#guest, { op: 'guestMap', ipa: 0 }));
    }
    for (const [device, start] of [device0, device1].entries()) {
      if (start === 'nested') this.#must(guestTask(this.#guest, { op: 'guestNest', device }));
      const place = ['guest', 'other', 'private'].indexOf(start);
      if (place >= 0) this.#must(this.#task(0, { op: 'attach', place, device }));
    }
    this.costs.invalidations.reset();
    this.costs.commands.reset();
    this.#witnesses.clear();
  }

  #must(task: Task<boolean>): void {
    if (!this.#runAlone(task)) throw new HarnessError('set-up: an operation does not apply');
  }

  #runAlone(task: Task<boolean>): boolean {
    let done = false;
    const run = function* (): Task {
      done = yield* task;
    };
    runToCompletion(run());
    this.#platform.afterStep();
    const { failure } = this.machine;
    if (failure !== undefined) throw new HarnessError(`set-up fails: ${failure.message}`);
    return done;
  }
}
