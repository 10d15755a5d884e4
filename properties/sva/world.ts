import { runToCompletion } from '../../engine/complete.ts';
import { HarnessError, type Failure } from '../../engine/failure.ts';
import type { AgentSpec } from '../../engine/agent.ts';
import { Machine } from '../../engine/machine.ts';
import { drains } from '../../engine/memory-order/drains.ts';
import { StoreBuffers } from '../../engine/memory-order/store-buffers.ts';
import type { Observation } from '../../engine/observe.ts';
import type { Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import type { ContextNote } from '../../impl/kernel/arm64/index.ts';
import { BtmKernel, BtmOperations, type BtmParts } from '../../impl/kernel/btm/index.ts';
import { PhysicalMemory, type SmmuPort } from '../../impl/platform/index.ts';
import { CD, read } from '../../model/architecture/arm/layout/index.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { Slot } from '../../model/architecture/arm/universe.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { structure } from '../asid/explain.ts';
import { LeakCheck } from './leaks.ts';
import { lateStores } from '../asid/late-stores.ts';
import { StoreNames } from '../asid/pending.ts';
import { cpuNamed } from '../cpu-named.ts';
import type { Configuration, Operation, Program, World } from '../family.ts';
import { Reported } from '../reported.ts';
import { kernelConfig, svaConfiguration, type SvaConfiguration } from './configuration.ts';
import { explain, type FailureSources } from './explain.ts';
import { SvaHardware } from './hardware.ts';
import { Judge } from './judge.ts';
import { named } from './naming.ts';
import { describe, svaOperation, taskOf, type SvaOperation } from './operations.ts';
import { frameName, PAGES } from './pages.ts';
import { CPU_STREAM } from './reach.ts';
import { Witnesses } from './witnesses.ts';

const FEATURES: SmmuFeatures = { ...FULL_FEATURES, hyp: true, sidSize: 6, ssidSize: 3, bbml: 0 };
/** Size of a context descriptor: bytes, and words of 64 bits. */
const CD_BYTES = 64;
const CD_WORDS = 8;
/** Entries and starts of walks that the TLB of a CPU can ever hold. */
const CPU_CAPACITY = 1024;

/** Makes the port that the driver is given. */
export type Count = (port: SmmuPort, memory: PhysicalMemory) => SmmuPort;

/** CPUs that run processes, devices that share them, and an SMMU that hears what the CPUs invalidate, or does not. */
export class SvaWorld implements World {
  readonly configuration: SvaConfiguration;
  readonly machine = new Machine();
  readonly kernel: BtmKernel;
  readonly architecture: SmmuV3;
  readonly judge: Judge;
  readonly #hardware: SvaHardware;
  readonly #operations: BtmOperations;
  readonly #witnesses: Witnesses;
  readonly #storeNames: StoreNames;
  readonly #leaks: LeakCheck;
  readonly #initial: number;
  readonly #reported = new Reported<FailureSources>(this.machine, (text) => this.#named(text));

  /**
   * @param parts replaced routines of the kernel: a hazard.
   * @param count stands between the driver and the SMMU where costs are counted.
   */
  constructor(configuration: Configuration, parts: Partial<BtmParts> = {}, count?: Count) {
    this.configuration = svaConfiguration(configuration);
    const { cpus, kpti, cnp, processes, weak, broadcast, ats, narrow } = this.configuration;
    const config = kernelConfig(this.configuration);
    const { machine } = this;
    const { store } = machine;
    if (weak > 0) machine.buffers = new StoreBuffers(machine, weak);
    const memory = new PhysicalMemory(store, [config.memory]);
    const contexts = config.streams.flatMap((stream) =>
      Array.from({ length: processes + 1 }, (_, substream) => ({ stream, substream })),
    );
    const slots = contexts.flatMap(({ stream, substream }) => PAGES.map((va) => slotOf(stream, substream, va, ats)));
    const features = { ...FEATURES, ats, btm: broadcast !== 'absent', asid16: !narrow };
    this.architecture = new SmmuV3(store, memory, features, { slots }, { entries: 1 << 12, commands: 128 });
    memory.onWrite((pa) => this.architecture.memoryWritten(pa));
    const regime = { granule: config.granule, inputBits: 64 - config.t0sz };
    const receivers = [this.architecture.dvm];
    const tlbs = { cpus, addresses: PAGES, common: cnp, kpti, capacity: CPU_CAPACITY, regime, receivers };
    this.#hardware = new SvaHardware(machine, memory, tlbs, {
      written: (cpu, pgd) => this.judge.loaded(cpu, pgd),
      broadcasts: (instruction) => this.judge.broadcasts(instruction),
      changed: () => this.judge.changed(),
    });
    this.#witnesses = new Witnesses(machine);
    const report = (violation: Failure): void => this.#report(violation);
    const [smmu, hardware, witnesses] = [this.architecture, this.#hardware, this.#witnesses];
    this.judge = new Judge(
      { machine, memory, smmu, hardware, contexts, witnesses, report, cost: count !== undefined },
      this.configuration,
    );
    this.kernel = this.#boot(memory, parts, count?.(smmu, memory) ?? smmu);
    this.judge.begin(this.kernel);
    this.#operations = new BtmOperations(this.kernel);
    this.#storeNames = new StoreNames(this.kernel, memory, (pa) => frameName(config, pa));
    this.#leaks = new LeakCheck(this.kernel);
    this.#setUp(Object.keys(parts).length > 0);
    this.#initial = store.mark();
  }

  get counters() {
    return this.#witnesses.counters;
  }

  /** CPUs go on running what they were switched to. */
  get cpusKeepState(): boolean {
    return true;
  }

  load(program: Program): System {
    const { machine } = this;
    machine.store.rollback(this.#initial);
    machine.failure = undefined;
    this.#reported.clear();
    this.judge.forget();
    const processors = program.agents.map(({ name }) => cpuNamed(name, this.configuration.cpus));
    const agents = program.agents.map(({ name, operations }, at) => ({
      name,
      context: 'process' as const,
      daemon: false,
      operations: operations.map((operation) => {
        const known = this.#known(operation);
        const start = (): Task => this.#witnesses.counted(known.op, this.#task(processors[at] as number, known));
        return { label: describe(known), start };
      }),
    }));
    this.#hardware.assign(processors);
    return {
      machine,
      agents: [...agents, ...this.#storeBuffers(agents)],
      check: () => this.judge.check(),
      quiescent: () => {
        const leak = this.#leaks.find();
        if (leak !== undefined) machine.fail(leak);
      },
    };
  }

  snapshot(): readonly string[] {
    const cpus = Array.from({ length: this.configuration.cpus }, (_, cpu) => {
      const mm = this.judge.rollover.running(cpu);
      const asid = this.#hardware.asid(cpu);
      return `CPU${cpu} ${mm < 0 ? 'runs nothing' : `runs mm${mm}`}${asid < 0 ? '' : `, ASID ${asid}`}`;
    });
    const pending = this.machine.buffers?.pending().map((store) => this.#storeNames.pending(store)) ?? [];
    const held = this.architecture
      .heldTranslations()
      .filter(({ kind }) => kind === 'translation')
      .map(
        ({ text, doomed }) =>
          `${doomed ? 'held until SYNC or DSB' : 'held'}: ${this.#named(text).replace(/, walked.*/, '')}`,
      );
    return [...cpus, ...held, ...pending];
  }

  through(failure: Failure): string | undefined {
    return structure(failure, this.#reported.of(failure));
  }

  explain(observation: Observation, failure: Failure) {
    const lines = explain(observation, failure, this.#reported.of(failure) ?? this.#facts());
    const missing = lines.findIndex(({ head }) => head === 'Missing');
    return lines.toSpliced(missing < 0 ? lines.length : missing, 0, ...lateStores(observation));
  }

  describeOperation(operation: Operation): string {
    return describe(svaOperation(operation));
  }

  #boot(memory: PhysicalMemory, parts: Partial<BtmParts>, port: SmmuPort): BtmKernel {
    const { machine, architecture, judge } = this;
    const observer = {
      noted: (note: ContextNote) => this.#noted(note),
      scheduling: (cpu: number) => judge.scheduling(cpu),
      stopped: (cpu: number) => judge.stopped(cpu),
    };
    const sink = { emit: (event: ContractEvent) => judge.emit(event) };
    const pciAts = (streamId: number, enabled: boolean): void => architecture.ats?.setEnabled(streamId, enabled);
    for (const { streamId } of architecture.universe.contexts) pciAts(streamId, false);
    const base = { machine, memory, port, sink, cpu: this.#hardware, observer, pciAts };
    return new BtmKernel(base, kernelConfig(this.configuration), parts);
  }

  #noted(note: ContextNote): void {
    this.#witnesses.ofAllocator(note);
    const { mms } = this.kernel;
    const pinned = note === 'roll-over' || note === 'second roll-over';
    if (pinned && mms.live().some((mm) => mms.at(mm).bonds.value !== 0)) this.#witnesses.reach('rolledOver');
  }

  #task(cpu: number, operation: SvaOperation): Task<boolean> {
    return taskOf(this.#operations, cpu, operation);
  }

  /** An operation that this world can run. */
  #known(operation: Operation): SvaOperation {
    const known = svaOperation(operation);
    const { processes, masters } = this.configuration;
    if ('process' in known && known.process >= processes)
      throw new RangeError(`there is no process mm${known.process}`);
    if ('device' in known && known.device >= masters) throw new RangeError(`there is no device dev${known.device}`);
    return known;
  }

  #storeBuffers(all: readonly AgentSpec[]): AgentSpec[] {
    const { buffers } = this.machine;
    if (buffers === undefined) return [];
    buffers.assign(all, () => true);
    const cpus = all.map(({ name }, agent) => ({ name, agent }));
    return drains(buffers, cpus, (cell) => this.#storeNames.arrived(cell));
  }

  #named(text: string): string {
    return named(this.kernel.config, text);
  }

  #report(violation: Failure): void {
    this.#reported.report(violation, (of) => this.#sourcesOf(of));
  }

  /** What in the SMMU makes the violation possible: asked while the state is still there. */
  #sourcesOf({ data = {} }: Failure): FailureSources {
    const { slots } = this.architecture.universe;
    const substream = Number(data['substream'] ?? 0);
    const slot = slots.findIndex(
      (candidate) =>
        candidate.streamId === Number(data['stream']) &&
        candidate.va === Number(data['iova'] ?? NaN) &&
        candidate.substream === (substream === 0 ? -1 : substream),
    );
    const configured = this.architecture.heldTranslations().map(({ text }) => this.#named(text));
    const use = String(data['use'] ?? '');
    if (slot < 0) return this.#facts(/^CPU\d/.test(use) ? use : this.#entryOfCpu(data));
    const pa = data['pa'] === undefined ? undefined : Number(data['pa']);
    // In the order in which they came up, as a story has it.
    const outcomes = this.architecture.outcomes(slot).toSorted((a, b) => a.id - b.id);
    const wanted = outcomes.filter((outcome) => pa === undefined || ('pa' in outcome && outcome.pa === pa));
    const sources = wanted.flatMap((outcome) => this.architecture.explain(slot, outcome));
    return { ...this.#facts(), sources: [...new Set(sources.map(({ text }) => this.#named(text)))], configured };
  }

  /** The entry by which a CPU reaches what it should not, in words. */
  #entryOfCpu(data: Readonly<Record<string, unknown>>): string | undefined {
    const cpu = Number(data['stream']) - CPU_STREAM;
    if (!(cpu >= 0)) return undefined;
    const to = this.#named(`0x${Number(data['pa']).toString(16)}`);
    return `CPU${cpu}: (ASID ${this.#hardware.asid(cpu)}, 0x${Number(data['iova']).toString(16)} → ${to})`;
  }

  /** What decides which broadcasts the SMMU hears, and for which entries. */
  #facts(cpuEntry?: string): FailureSources {
    const { kernel } = this;
    const substreams = Array.from({ length: this.configuration.processes + 1 }, (_, substream) => substream);
    const descriptors = kernel.masters.flatMap(({ cdTable }) =>
      substreams.map((substream) => kernel.memory.readWords(cdTable + substream * CD_BYTES, CD_WORDS)),
    );
    const privateAsids = descriptors
      .filter((lanes) => read(CD.fields.V, lanes) === 1 && read(CD.fields.ASET, lanes) === 1)
      .map((lanes) => read(CD.fields.ASID, lanes));
    const { broadcast } = this.architecture;
    const { kpti } = this.configuration;
    const facts = { sources: [], configured: [], broadcast, privateAsids, kpti };
    return cpuEntry === undefined ? facts : { ...facts, cpuEntry };
  }

  /**
   * Brings the world to its initial state, by the kernel's own operations. What a hazard breaks already is left out, for
   * programs to find.
   */
  #setUp(replaced: boolean): void {
    const { processes, masters, both, domain, running, bound } = this.configuration;
    const { store } = this.machine;
    const run = (operation: SvaOperation | undefined): void => {
      const before = store.mark();
      runToCompletion(operation === undefined ? this.#operations.domainAlloc(0) : this.#task(0, operation));
      this.judge.check();
      const { failure } = this.machine;
      const name = operation === undefined ? 'domain_alloc' : describe(operation);
      if (failure === undefined) return;
      if (!replaced) throw new HarnessError(`set-up fails at ${name}: ${failure.message}`);
      store.rollback(before);
      this.machine.failure = undefined;
      this.judge.forget();
    };
    run(undefined);
    run({ op: 'map', page: 0, frame: 0 });
    for (let process = 0; process < processes; process++)
      for (let page = 0; page <= (both ? 1 : 0); page++) run({ op: 'mmap', process, page, frame: 0 });
    for (let device = 0; device < (domain ? masters : 0); device++) run({ op: 'attach', device });
    if (running) run({ op: 'switch', process: 0 });
    if (bound) run({ op: 'bind', process: 0, device: 0 });
    this.#witnesses.clear();
  }
}

/** A page of a device's stream. ATS is used for accesses with a PASID. */
function slotOf(streamId: number, substream: number, va: number, ats: boolean): Slot {
  if (substream === 0) return { streamId, substream: -1, va };
  return { streamId, substream, va, ...(ats ? { ats } : {}) };
}
