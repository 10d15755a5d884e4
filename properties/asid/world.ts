import { runToCompletion } from '../../engine/complete.ts';
import { HarnessError, type Failure } from '../../engine/failure.ts';
import type { AgentSpec } from '../../engine/agent.ts';
import { Machine } from '../../engine/machine.ts';
import { drains } from '../../engine/memory-order/drains.ts';
import { StoreBuffers } from '../../engine/memory-order/store-buffers.ts';
import type { Observation } from '../../engine/observe.ts';
import { step, type Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import { Kernel, Operations, type KernelParts } from '../../impl/kernel/index.ts';
import { PhysicalMemory } from '../../impl/platform/index.ts';
import { EVENT } from '../../model/architecture/arm/layout/index.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { PERMISSION, type Outcome } from '../../model/architecture/arm/outcomes/outcome.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import { Contract } from '../../model/contract/contract.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { observe, type ArchitectureOutcome, type Vocabulary } from '../../model/contract/observe.ts';
import type { Configuration, Operation, Program, World } from '../family.ts';
import { asidConfiguration, frameName, kernelConfig, type AsidConfiguration } from './configuration.ts';
import { reassignParts } from './designs.ts';
import type { EndToEndOptions, EndToEndWorld, Place } from '../end-to-end/family.ts';
import { Reported } from '../reported.ts';
import { explain, structure, type FailureSources } from './explain.ts';
import { LeakCheck } from './leaks.ts';
import { lateStores } from './late-stores.ts';
import { named } from './naming.ts';
import { StoreNames } from './pending.ts';
import { noteOn } from './notes.ts';
import { asidOperation, describe, taskOf, type AsidOperation } from './operations.ts';
import { Witnesses } from './witnesses.ts';

const WORDS: Vocabulary = {
  missing: [EVENT.F_TRANSLATION],
  conflict: [EVENT.F_TLB_CONFLICT, EVENT.F_CFG_CONFLICT],
  read: PERMISSION.UR,
  write: PERMISSION.UW,
};
const FEATURES: SmmuFeatures = { ...FULL_FEATURES, sidSize: 6, ssidSize: 2, bbml: 0 };
const MEMORY_FRAMES = 32;

/** What an SMMU must offer for the software of a configuration. */
export function asidFeatures({ ril }: AsidConfiguration): SmmuFeatures {
  return { ...FEATURES, ril };
}

/** Kernel software over the architecture, with the contract looking on: the software check of the `asid` family. */
export class AsidWorld implements World, EndToEndWorld {
  readonly configuration: AsidConfiguration;
  readonly machine = new Machine();
  readonly kernel: Kernel;
  readonly architecture: SmmuV3;
  readonly contract: Contract<Outcome>;
  readonly #operations: Operations;
  readonly #storeNames: StoreNames;
  readonly #witnesses: Witnesses;
  readonly #onViolation: ((violation: Failure) => void) | undefined;
  readonly #initial: number;
  readonly #leaks: LeakCheck;
  readonly #reported = new Reported<FailureSources>(this.machine, (text) => this.#named(text));

  /** @param parts replaced routines of the kernel: a hazard. */
  constructor(configuration: Configuration, parts: Partial<KernelParts> = {}, options: EndToEndOptions = {}) {
    this.configuration = asidConfiguration(configuration);
    this.#onViolation = options.onViolation;
    const features = options.features ?? asidFeatures(this.configuration);
    const known = kernelConfig(this.configuration);
    const config = { ...known, substreamBits: Math.min(known.substreamBits, features.ssidSize) };
    const { machine } = this;
    const { store } = machine;
    const { weak = 0 } = this.configuration;
    if (weak > 0) machine.buffers = new StoreBuffers(machine, weak);
    const memory = new PhysicalMemory(store, [{ ...config.memory, frames: MEMORY_FRAMES }]);
    const pages = [...config.pages, ...config.iovas];
    const contexts = config.streams.flatMap((stream) =>
      [0, ...config.processes.map((_, process) => process + 1)].map((substream) => ({ stream, substream })),
    );
    const slots = contexts.flatMap(({ stream, substream }) =>
      pages.map((va) => ({ streamId: stream, substream: substream === 0 ? -1 : substream, va })),
    );
    this.architecture = new SmmuV3(store, memory, features, { slots }, { entries: 1 << 12, commands: 128 });
    memory.onWrite((pa) => this.architecture.memoryWritten(pa));
    options.tap?.watch(memory);
    const spaces = config.domains + config.processes.length + 1;
    this.contract = new Contract({
      store,
      world: { streams: contexts, spaces, pages, tags: 16 },
      use: this.architecture,
      observe: (outcome) => observe(outcome, WORDS),
      report: (violation) => this.#report(violation),
    });
    this.#witnesses = new Witnesses(machine, this.architecture);
    const port = options.tap?.port(this.#witnesses.port()) ?? this.#witnesses.port();
    const sink = { emit: (event: ContractEvent) => this.#emit(event) };
    const use = { ...reassignParts(this.configuration.reassign), ...parts };
    this.kernel = new Kernel({ machine, memory, port, sink }, config, use);
    this.#operations = new Operations(this.kernel);
    this.#storeNames = new StoreNames(this.kernel, memory);
    this.#witnesses.kernel = this.kernel;
    this.kernel.failNth.onFailure = () => this.#witnesses.allocationFailed();
    this.#leaks = new LeakCheck(this.kernel);
    this.#setUp();
    this.#initial = store.mark();
  }

  get counters() {
    return this.#witnesses.counters;
  }

  load(program: Program): System {
    this.machine.store.rollback(this.#initial);
    this.machine.failure = undefined;
    this.#reported.clear();
    this.#clearChanges();
    const agents = program.agents.map(({ name, operations }) => ({
      name,
      context: 'process' as const,
      daemon: false,
      operations: operations.map((operation) => {
        const checked = this.#check(operation);
        const start = (): Task => this.#witnesses.counted(checked.op, this.#task(checked));
        return { label: describe(checked), start };
      }),
    }));
    return {
      machine: this.machine,
      agents: [...agents, ...this.#storeBufferDaemons(agents)],
      check: () => this.#afterStep(),
      quiescent: () => {
        const leak = this.#leaks.find();
        if (leak !== undefined) this.machine.fail(leak);
      },
    };
  }

  /** Store buffers outlive an operation, and so does an allocation that is to fail. */
  get cpusKeepState(): boolean {
    return this.machine.buffers !== undefined || this.configuration.faults === true;
  }

  snapshot(): readonly string[] {
    const pending = this.machine.buffers?.pending().map((store) => this.#storeNames.pending(store)) ?? [];
    const held = this.architecture
      .heldTranslations()
      .filter(({ kind }) => kind === 'translation')
      .map(
        ({ text, doomed }) => `${doomed ? 'held until SYNC' : 'held'}: ${this.#named(text).replace(/, walked.*/, '')}`,
      );
    return [...held, ...pending];
  }

  get places(): readonly Place[] {
    return this.architecture.universe.slots.map(({ streamId, substream, va }, slot) => {
      const name = this.kernel.masters.find((master) => master.streamId === streamId)?.name ?? '';
      const device = substream < 0 ? name : `${name} mm${substream - 1}`;
      return { slot, device, streamId, substream, iova: va, ats: false };
    });
  }

  /** What the contract says if an access of a slot comes to `outcome` now; undefined: it is permitted. */
  judge(slot: number, outcome: ArchitectureOutcome): Failure | undefined {
    const pages = this.kernel.config.pages.length + this.kernel.config.iovas.length;
    const page = slot % pages;
    const violation = this.contract.translation.allows((slot - page) / pages, page, observe(outcome, WORDS));
    return violation === undefined ? undefined : { ...violation, message: this.#named(violation.message) };
  }

  through(failure: Failure): string | undefined {
    return structure(failure, this.#reported.of(failure));
  }

  explain(observation: Observation, failure: Failure) {
    const lines = explain(observation, failure, this.#reported.of(failure));
    const missing = lines.findIndex(({ head }) => head === 'Missing');
    return lines.toSpliced(missing < 0 ? lines.length : missing, 0, ...lateStores(observation));
  }

  describeOperation(operation: Operation): string {
    return noteOn(this.kernel, asidOperation(operation));
  }

  /** What moves the stores of the program's CPUs to memory, if they have store buffers. Devices have none. */
  #storeBufferDaemons(agents: readonly AgentSpec[]): AgentSpec[] {
    const { buffers } = this.machine;
    if (buffers === undefined) return [];
    const isCpu = ({ name }: AgentSpec): boolean => !name.startsWith('dev');
    buffers.assign(agents, isCpu);
    const cpus = agents.map((agent, index) => ({ ...agent, agent: index })).filter((agent) => isCpu(agent));
    return drains(buffers, cpus, (cell) => this.#storeNames.arrived(cell));
  }

  /** An operation that this world can run. */
  #check(operation: Operation): AsidOperation {
    const checked = asidOperation(operation);
    const { config } = this.kernel;
    const process = 'process' in checked ? checked.process : 0;
    if (process >= config.processes.length)
      throw new RangeError(`${describe(checked)}: this world has ${config.processes.length} process(es)`);
    if (checked.op.startsWith('dma') && 'buffer' in checked && config.iovas.length === 0)
      throw new RangeError(`${describe(checked)}: this world has no DMA API (configuration "lazy")`);
    if (checked.op === 'failNth' && this.configuration.faults !== true)
      throw new RangeError(`${describe(checked)}: no allocation fails in this world (configuration "faults")`);
    return checked;
  }

  #task(operation: AsidOperation): Task<boolean> {
    return taskOf(this.#operations, operation, (device, page, process) => this.#dma(device, page, process));
  }

  /** A device's access: everything that it may come to, as the result of one step. */
  *#dma(device: number, page: number, process: number): Task<boolean> {
    const slot = this.#slot(device, process + 1, page);
    yield* step(`DMA of dev${device}`, () =>
      this.architecture
        .outcomes(slot)
        .map((outcome) => nameOf(outcome))
        .join(' or '),
    );
    return true;
  }

  #slot(device: number, context: number, page: number): number {
    const { config } = this.kernel;
    const contexts = config.processes.length + 1;
    return (device * contexts + context) * (config.pages.length + config.iovas.length) + page;
  }

  #afterStep(): void {
    this.contract.check(this.architecture);
    this.#witnesses.afterStep();
  }

  #emit(event: ContractEvent): void {
    this.contract.emit(event);
    this.#witnesses.on(event);
  }

  #report(violation: Failure): void {
    if (this.#onViolation !== undefined)
      return this.#onViolation({ ...violation, message: this.#named(violation.message) });
    this.#reported.report(violation, (of) => this.#sourcesOf(of));
  }

  #named(text: string): string {
    return named(this.kernel.config, text);
  }

  /** What in the hardware makes the violation possible: asked while the state is still there. */
  #sourcesOf({ data = {} }: Failure): FailureSources {
    const slots = this.architecture.universe.slots;
    const iova = Number(data['iova'] ?? NaN);
    const substream = Number(data['substream'] ?? 0);
    const slot = slots.findIndex(
      (candidate) =>
        candidate.streamId === Number(data['stream']) &&
        candidate.va === iova &&
        candidate.substream === (substream === 0 ? -1 : substream),
    );
    const configured = this.architecture.heldTranslations().map(({ text }) => this.#named(text));
    if (slot < 0) return { sources: [], configured: [] };
    const pa = data['pa'] === undefined ? undefined : Number(data['pa']);
    // In the order in which they came up, as a story has it.
    const outcomes = this.architecture.outcomes(slot).toSorted((a, b) => a.id - b.id);
    const wanted = outcomes.filter(
      (outcome) => pa === undefined || (outcome.kind === 'translation' && outcome.pa === pa),
    );
    return {
      sources: [
        ...new Set(
          wanted.flatMap((outcome) => this.architecture.explain(slot, outcome)).map(({ text }) => this.#named(text)),
        ),
      ],
      configured,
    };
  }

  #clearChanges(): void {
    this.architecture.takeDirtySlots();
    this.contract.translation.narrowed.clear();
  }

  /** Brings the world to its initial state, by the kernel's own operations. */
  #setUp(): void {
    const { masters, mapped, block, bound, lazy } = this.configuration;
    const run = (operation: AsidOperation): void => {
      runToCompletion(this.#task(operation));
      this.#afterStep();
      const { failure } = this.machine;
      if (failure !== undefined) throw new HarnessError(`set-up fails at ${describe(operation)}: ${failure.message}`);
    };
    for (const stream of this.configuration.bypass ? this.kernel.config.streams : []) {
      this.contract.emit({ type: 'attach.begin', stream, substream: 0, to: 'bypass', hitless: false });
      this.contract.emit({ type: 'attach.end', stream, substream: 0 });
    }
    run({ op: 'domainAlloc', domain: 0 });
    run({ op: 'domainAlloc', domain: 1 });
    for (let page = 0; page < mapped; page++) run({ op: 'map', domain: 0, page, frame: page });
    if (block) run({ op: 'mapBlock', domain: 0, frame: 0 });
    run({ op: 'mmap', process: 0, page: 0, frame: 2 });
    if (lazy) run({ op: 'dmaMap', buffer: 0, frame: 3 });
    for (let device = 0; device < masters; device++) run({ op: 'attach', domain: 0, device });
    if (bound) run({ op: 'bind', process: 0, device: 0 });
    this.#witnesses.clear();
  }
}

function nameOf(outcome: Outcome): string {
  if (outcome.kind === 'translation') return frameName(outcome.pa);
  if (outcome.kind !== 'fault') return outcome.kind;
  return Object.entries(EVENT).find(([, code]) => code === outcome.event)?.[0] ?? `event ${outcome.event}`;
}
