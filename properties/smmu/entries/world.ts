import type { AgentSpec } from '../../../engine/agent.ts';
import { runToCompletion } from '../../../engine/complete.ts';
import type { Failure } from '../../../engine/failure.ts';
import { Machine } from '../../../engine/machine.ts';
import { drains } from '../../../engine/memory-order/drains.ts';
import { StoreBuffers } from '../../../engine/memory-order/store-buffers.ts';
import type { Observation } from '../../../engine/observe.ts';
import { step, type Task } from '../../../engine/step.ts';
import type { System } from '../../../engine/system.ts';
import { Kernel, SMALL_CONFIG, type EntryRef, type KernelParts, type Master } from '../../../impl/kernel/index.ts';
import { PhysicalMemory } from '../../../impl/platform/index.ts';
import { FULL_FEATURES } from '../../../model/architecture/arm/layout/features.ts';
import {
  CD_TABLE_L1,
  CFGI_RANGE_ALL,
  COMMAND_CFGI_STE_RANGE,
  COMMAND_TLBI,
  encode,
  OPCODE,
  S1_FORMAT,
  S1DSS,
  STE,
  STE_CONFIG,
} from '../../../model/architecture/arm/layout/index.ts';
import { SmmuV3 } from '../../../model/architecture/arm/smmuv3.ts';
import type { Configuration, Counters, Operation, Program, World } from '../../family.ts';
import { Tallies } from '../../tallies.ts';
import { contentsOf, entriesConfiguration, updateOperation, type EntriesConfiguration } from './configuration.ts';
import { explain } from './explain.ts';
import { AT, REGION } from './memory-map.ts';
import { Oracle } from './oracle.ts';
import { descriptorOutcomeName, outcomeName } from './outcome-name.ts';
import { isLinked, PAGE, tagToFlush, writeStructures } from './structures.ts';

/** The device's StreamID, and the substream of the context descriptor that is rewritten. */
const STREAM_ID = 0x10;
const SUBSTREAM = 1;
const FEATURES = { ...FULL_FEATURES, sidSize: 6, ssidSize: 2, ats: true, fwb: true };

/** What a run should reach. */
export const WITNESSES = {
  hitless: 'hitless update of several words',
  breaking: 'update by way of an invalid entry',
  mixed: 'several versions of a word held at once',
} as const;

/**
 * One configuration entry of one device, rewritten by the driver over the architecture. After each step every mix of words
 * that hardware may hold must act as the old entry or as the new one (or refuse, where there is no better way), and so
 * must everything that the architecture permits an access to come to.
 */
export class EntriesWorld implements World {
  readonly configuration: EntriesConfiguration;
  readonly machine = new Machine();
  readonly #tallies = new Tallies(this.machine, Object.values(WITNESSES), ['update']);
  readonly kernel: Kernel;
  readonly architecture: SmmuV3;
  readonly oracle: Oracle;
  readonly #master: Master;
  readonly #memory: PhysicalMemory;
  readonly #initial: number;

  /** @param parts replaced routines of the kernel: a hazard. */
  constructor(configuration: Configuration, parts: Partial<KernelParts> = {}) {
    this.configuration = entriesConfiguration(configuration);
    const { subject, initial, weak } = this.configuration;
    const { machine } = this;
    if (weak > 0) machine.buffers = new StoreBuffers(machine, weak);
    const memory = new PhysicalMemory(machine.store, [{ base: REGION.base, frames: REGION.frames }]);
    this.#memory = memory;
    const substreams = subject === 'ste' ? [-1, 0, SUBSTREAM] : [SUBSTREAM];
    const slots = substreams.map((substream) => ({ streamId: STREAM_ID, substream, va: PAGE }));
    this.architecture = new SmmuV3(machine.store, memory, FEATURES, { slots }, { entries: 1 << 12, commands: 128 });
    memory.onWrite((pa) => this.architecture.memoryWritten(pa));
    this.oracle = new Oracle({ machine, memory, subject, streamId: STREAM_ID, substream: SUBSTREAM });
    const port = this.oracle.port(this.architecture);
    const config = {
      ...SMALL_CONFIG,
      streams: [STREAM_ID],
      processes: [],
      memory: { base: REGION.base, frames: REGION.kernelFrames },
    };
    this.kernel = new Kernel({ machine, memory, port, sink: { emit: () => undefined } }, config, parts);
    this.#master = this.kernel.masters[0] as Master;
    writeStructures(memory);
    this.#setUp(initial);
    this.oracle.start(this.#entry().pa, this.#master.cdTable, initial);
    this.#tallies.clear();
    this.#initial = machine.store.mark();
  }

  get counters(): Counters {
    return this.#tallies.counters;
  }

  get cpusKeepState(): boolean {
    return this.machine.buffers !== undefined;
  }

  /** What the architecture permits accesses to come to now, by slot. */
  outcomes(): string[][] {
    const name = this.configuration.subject === 'ste' ? outcomeName : descriptorOutcomeName;
    return this.architecture.universe.slots.map((_, slot) => this.architecture.outcomes(slot).map(name));
  }

  load(program: Program): System {
    const { machine } = this;
    machine.store.rollback(this.#initial);
    machine.failure = undefined;
    const agents: AgentSpec[] = program.agents.map(({ name, operations }) => ({
      name,
      context: 'process' as const,
      daemon: false,
      operations: operations.map((operation) => {
        const { to } = updateOperation(operation, this.configuration.subject);
        return { label: this.describe(to), start: () => this.#update(to) };
      }),
    }));
    return { machine, agents: [...agents, ...this.#storeBuffers(agents)], check: () => this.#check() };
  }

  snapshot(): readonly string[] {
    return this.oracle.lines();
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure);
  }

  describeOperation(operation: Operation): string {
    return this.describe(updateOperation(operation, this.configuration.subject).to);
  }

  describe(to: number): string {
    const { subject } = this.configuration;
    return `${this.#entry().name} := ${contentsOf(subject)[to]?.name}`;
  }

  /** `arm_smmu_write_entry()` as the driver calls it: under the group's mutex. */
  *#update(to: number): Task {
    const { subject } = this.configuration;
    const writer = this.kernel.configWriter;
    yield* this.#master.group.lock();
    const from = yield* step(`load ${this.#master.name}`, () => this.oracle.current);
    if (subject === 'cd-two-level') {
      const l1 = writer.l1Cd(this.#master, SUBSTREAM);
      const linked = yield* step(`read ${l1.name}`, () => isLinked(this.kernel.memory.readWords(l1.pa, 1)));
      if (!linked) yield* writer.arm_smmu_write_cd_l1_desc(l1, AT.l2Cds);
    }
    const { name, lanes } = contentsOf(subject)[to] as { name: string; lanes: readonly number[] };
    yield* writer.arm_smmu_write_entry(this.#entry(), {
      what: name,
      target: () => lanes,
      begin: () => this.#begin(to),
    });
    const tag = subject === 'ste' ? 0 : tagToFlush(contentsOf(subject)[from]?.lanes ?? [], lanes);
    if (tag !== 0) yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(tag);
    yield* step('return', () => this.oracle.end());
    yield* this.#master.group.unlock();
  }

  #begin(to: number): void {
    const breaking = this.oracle.begin(to);
    this.#tallies.ran('update', true);
    if (breaking) this.#tallies.noted(WITNESSES.breaking);
    else if (this.oracle.wordsChanged() > 1) this.#tallies.noted(WITNESSES.hitless);
  }

  #entry(): EntryRef {
    const { subject } = this.configuration;
    const writer = this.kernel.configWriter;
    if (subject === 'ste') return writer.ste(this.#master);
    return writer.cd(subject === 'cd' ? this.#master : { ...this.#master, cdTable: AT.l2Cds }, SUBSTREAM);
  }

  #check(): void {
    if (this.oracle.severalVersions()) this.#tallies.noted(WITNESSES.mixed);
    const failure = this.oracle.check() ?? this.oracle.judge(this.outcomes(), (content) => this.#stable(content));
    if (failure !== undefined) this.machine.fail(failure);
  }

  /** What accesses come to under a content, by slot. */
  #stable(content: number): readonly (readonly string[])[] {
    const { subject } = this.configuration;
    const key = `${subject} ${content}`;
    let known = STABLE.get(key);
    if (known === undefined)
      STABLE.set(key, (known = new EntriesWorld({ subject, initial: content, weak: 0 }).outcomes()));
    return known;
  }

  #storeBuffers(agents: readonly AgentSpec[]): AgentSpec[] {
    const { buffers } = this.machine;
    if (buffers === undefined) return [];
    buffers.assign(agents, () => true);
    const cpus = agents.map(({ name }, agent) => ({ name, agent }));
    return drains(buffers, cpus, (cell) => `0x${this.#memory.addressOf(cell).toString(16)}`);
  }

  /** Brings the entry to its first content by hand, as the architecture recommends (IHI 0070 §3.21.3.1). */
  #setUp(initial: number): void {
    const { subject } = this.configuration;
    if (subject !== 'ste') {
      const twoLevel = subject === 'cd-two-level';
      this.#write(
        this.#master.ste,
        encode(STE, {
          V: 1,
          Config: STE_CONFIG.STAGE1,
          S1ContextPtr: this.#master.cdTable,
          S1CDMax: 2,
          S1Fmt: twoLevel ? S1_FORMAT.TWO_LEVEL_64K : S1_FORMAT.LINEAR,
          S1DSS: S1DSS.SUBSTREAM_0,
        }),
      );
      const linked = twoLevel && initial !== 0;
      if (twoLevel)
        this.#memory.writeWords(this.#master.cdTable, encode(CD_TABLE_L1, linked ? { V: 1, L2Ptr: AT.l2Cds } : {}));
    }
    this.#write(this.#entry().pa, contentsOf(subject)[initial]?.lanes ?? []);
  }

  #write(pa: number, lanes: readonly number[]): void {
    const all = { Opcode: OPCODE.CFGI_STE_RANGE, Range: CFGI_RANGE_ALL };
    const commands = [
      { label: 'CMD_CFGI_ALL', lanes: encode(COMMAND_CFGI_STE_RANGE, all) },
      { label: 'CMD_TLBI_NSNH_ALL', lanes: encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NSNH_ALL }) },
    ];
    const sync = (): void => runToCompletion(this.kernel.cmdq.issueSync(commands));
    this.#memory.writeWords(pa, [0, 0]);
    sync();
    this.#memory.writeWords(pa + 8, lanes.slice(2));
    sync();
    this.#memory.writeWords(pa, lanes.slice(0, 2));
    sync();
  }
}

/** Outcomes by subject and content: a pure function of these. */
const STABLE = new Map<string, readonly (readonly string[])[]>();
