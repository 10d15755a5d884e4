import { runToCompletion } from '../../engine/complete.ts';
import { HarnessError, type Failure } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import type { Observation } from '../../engine/observe.ts';
import { step, type Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import { GuestOperations, HostOperations, NestedKernel, type NestedParts } from '../../impl/kernel/nested/index.ts';
import { PhysicalMemory } from '../../impl/platform/index.ts';
import { EVENT } from '../../model/architecture/arm/layout/index.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { PERMISSION, type Outcome } from '../../model/architecture/arm/outcomes/outcome.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import { Contract } from '../../model/contract/contract.ts';
import { READ, WRITE, type ContractEvent } from '../../model/contract/events.ts';
import { observe, type ArchitectureOutcome, type Vocabulary } from '../../model/contract/observe.ts';
import { frameName } from '../asid/configuration.ts';
import { explain, structure, type FailureSources } from '../asid/explain.ts';
import type { HardwareTap } from '../end-to-end/effects.ts';
import type { EndToEndOptions, EndToEndWorld, Place } from '../end-to-end/family.ts';
import type { Configuration, Operation, Program, World } from '../family.ts';
import { Reported } from '../reported.ts';
import {
  ADDRESSES,
  BLOCK_BYTES,
  BLOCKS,
  FIRST_TABLE_IPA_BLOCK,
  kernelConfig,
  nestingConfig,
  smmuConfiguration,
  type SmmuConfiguration,
} from './configuration.ts';
import { LeakCheck } from './leaks.ts';
import { named, spaceName } from './naming.ts';
import { describe, smmuOperation, taskOf, type SmmuOperation } from './operations.ts';
import { Witnesses } from './witnesses.ts';

const WORDS: Vocabulary = {
  missing: [EVENT.F_TRANSLATION],
  conflict: [EVENT.F_TLB_CONFLICT, EVENT.F_CFG_CONFLICT],
  read: PERMISSION.UR,
  write: PERMISSION.UW,
};
const FEATURES: SmmuFeatures = { ...FULL_FEATURES, sidSize: 6, ssidSize: 0, bbml: 0 };
const ASIDS = 16;

/** What an SMMU must offer for the software of a configuration. */
export function smmuFeatures({ ats, ril }: SmmuConfiguration): SmmuFeatures {
  return { ...FEATURES, ats, ril };
}

/** A hypervisor's kernel and a guest over the architecture, with the contract looking on. */
export class SmmuWorld implements World, EndToEndWorld {
  readonly configuration: SmmuConfiguration;
  readonly machine = new Machine();
  readonly kernel: NestedKernel;
  readonly architecture: SmmuV3;
  readonly contract: Contract<Outcome>;
  readonly #host: HostOperations;
  readonly #guest: GuestOperations;
  readonly #witnesses: Witnesses;
  readonly #initial: number;
  readonly #leaks: LeakCheck;
  readonly #ipaBlock: number;
  readonly #tap: HardwareTap | undefined;
  readonly #onViolation: ((violation: Failure) => void) | undefined;
  readonly #reported = new Reported<FailureSources>(this.machine, (text) => this.#named(text));

  /** @param parts replaced routines of the kernel: a hazard. */
  constructor(configuration: Configuration, parts: Partial<NestedParts> = {}, options: EndToEndOptions = {}) {
    this.configuration = smmuConfiguration(configuration);
    this.#tap = options.tap;
    this.#onViolation = options.onViolation;
    const { concatenatedTables = true } = options;
    this.#ipaBlock = concatenatedTables ? BLOCKS.ipa : FIRST_TABLE_IPA_BLOCK;
    const config = kernelConfig(this.configuration, this.#ipaBlock);
    const nesting = nestingConfig(this.configuration);
    const { ats } = this.configuration;
    const { machine } = this;
    const { store } = machine;
    const memory = new PhysicalMemory(store, [config.memory, nesting.guestMemory]);
    const slots = config.streams.flatMap((streamId) =>
      config.pages.map((va) => ({ streamId, substream: -1, va, ...(ats ? { ats } : {}) })),
    );
    const features = options.features ?? smmuFeatures(this.configuration);
    this.architecture = new SmmuV3(store, memory, features, { slots }, { entries: 1 << 13, commands: 1 << 10 });
    memory.onWrite((pa) => this.architecture.memoryWritten(pa));
    options.tap?.watch(memory);
    const { guestSpaces, firstGuestSpace, parentPlace } = nesting;
    const guests = Array.from({ length: guestSpaces }, (_, index) => firstGuestSpace + index);
    this.contract = new Contract({
      store,
      world: {
        streams: config.streams.map((stream) => ({ stream, substream: 0 })),
        spaces: firstGuestSpace + guestSpaces,
        pages: config.pages,
        tags: ASIDS,
        vmids: nesting.vmidMax + 1,
        nested: guests.map((space) => ({ space, parent: parentPlace })),
      },
      use: this.#use(),
      observe: (outcome) => observe(outcome, WORDS),
      report: (violation) => this.#report(violation),
    });
    this.#witnesses = new Witnesses(machine, this.architecture);
    const sink = { emit: (event: ContractEvent) => this.#emit(event) };
    const pciAts = (streamId: number, enabled: boolean): void => this.#pciAts(streamId, enabled);
    const base = {
      machine,
      memory,
      port: options.tap?.port(this.#witnesses.port()) ?? this.#witnesses.port(),
      sink,
      pciAts,
    };
    this.kernel = new NestedKernel(base, config, nesting, parts);
    for (const streamId of config.streams) this.architecture.ats?.setEnabled(streamId, false);
    this.#host = new HostOperations(this.kernel);
    this.#guest = new GuestOperations(this.kernel);
    this.#witnesses.kernel = this.kernel;
    this.#setUp();
    this.#leaks = new LeakCheck(this.kernel);
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
        const checked = smmuOperation(operation);
        const start = (): Task => this.#witnesses.counted(checked.op, this.#task(checked));
        return { label: describe(checked), start };
      }),
    }));
    return {
      machine: this.machine,
      agents,
      check: () => this.#afterStep(),
      quiescent: () => {
        const leak = this.#leaks.find();
        if (leak !== undefined) this.machine.fail(leak);
      },
    };
  }

  snapshot(): readonly string[] {
    return this.architecture
      .heldTranslations()
      .filter(({ kind }) => kind === 'translation')
      .map(
        ({ text, doomed }) => `${doomed ? 'held until SYNC' : 'held'}: ${this.#named(text).replace(/, walked.*/, '')}`,
      );
  }

  get places(): readonly Place[] {
    return this.architecture.universe.slots.flatMap(({ streamId, substream, va, ats }, slot) => {
      const device = this.kernel.masters.find((master) => master.streamId === streamId)?.name ?? '';
      const place = { slot, device, streamId, substream, iova: va, ats: false };
      return ats === true ? [place, { ...place, device: `${device} ATC`, ats }] : [place];
    });
  }

  judge(slot: number, outcome: ArchitectureOutcome): Failure | undefined {
    const page = slot % ADDRESSES.length;
    const violation = this.contract.translation.allows((slot - page) / ADDRESSES.length, page, observe(outcome, WORDS));
    return violation === undefined ? undefined : { ...violation, message: this.#named(violation.message) };
  }

  through(failure: Failure): string | undefined {
    return structure(failure, this.#reported.of(failure));
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure, this.#reported.of(failure));
  }

  describeOperation(operation: Operation): string {
    const { paging, places, invs } = this.kernel;
    const { place } = operation;
    if (typeof place !== 'number') return '';
    const handle = places[place]?.value ?? 0;
    if (handle <= 0) return `there is no ${spaceName(this.kernel, place)} at first`;
    const domain = paging.at(handle);
    const tag = domain.stage.value === 1 ? `ASID ${domain.asid.value}` : `VMID ${domain.vmid.value}`;
    return `${domain.name} has ${tag}${invs.at(domain.invs.value).length === 0 ? ', and no device' : ''}`;
  }

  /** What the monitors of tags and tables ask of the architecture. */
  #use() {
    const { architecture } = this;
    return {
      tableHeld: (pa: number, size: number) => architecture.tableHeld(pa, size),
      // A guest's ASIDs are its own, under its VMID.
      asidInUse: (asid: number) => architecture.asidInUse(asid, 0),
      vmidInUse: (vmid: number) => architecture.vmidInUse(vmid),
    };
  }

  #pciAts(streamId: number, enabled: boolean): void {
    this.#witnesses.ats(enabled);
    this.#tap?.ats(streamId, enabled);
    this.architecture.ats?.setEnabled(streamId, enabled);
  }

  #task(operation: SmmuOperation): Task<boolean> {
    const dma = (device: number, address: number): Task<boolean> => this.#dma(device, address);
    return taskOf({ host: this.#host, guest: this.#guest, dma, ipaBlock: this.#ipaBlock }, operation);
  }

  /** A device's access: everything that it may come to, as the result of one step. */
  *#dma(device: number, address: number): Task<boolean> {
    const slot = device * ADDRESSES.length + address;
    yield* step(`DMA of dev${device}`, () =>
      this.architecture
        .outcomes(slot)
        .map((outcome) => nameOf(outcome))
        .join(' or '),
    );
    return true;
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
    return named(this.kernel, text);
  }

  /** What in the hardware makes the violation possible: asked while the state is still there. */
  #sourcesOf({ data = {} }: Failure): FailureSources {
    const { architecture } = this;
    const iova = Number(data['iova'] ?? NaN);
    const slot = architecture.universe.slots.findIndex(
      ({ streamId, va }) => streamId === Number(data['stream']) && va === iova,
    );
    const configured = architecture.heldTranslations().map(({ text }) => this.#named(text));
    if (slot < 0) return { sources: [], configured: [] };
    const pa = data['pa'] === undefined ? undefined : Number(data['pa']);
    // In the order in which they came up, as a story has it.
    const outcomes = architecture.outcomes(slot).toSorted((a, b) => a.id - b.id);
    const wanted = outcomes.filter((outcome) => pa === undefined || ('pa' in outcome && outcome.pa === pa));
    const sources = wanted.flatMap((outcome) => architecture.explain(slot, outcome));
    return { sources: [...new Set(sources.map(({ text }) => this.#named(text)))], configured };
  }

  #clearChanges(): void {
    this.architecture.takeDirtySlots();
    this.contract.translation.narrowed.clear();
  }

  /** Brings the world to its initial state, by the kernel's own operations. */
  #setUp(): void {
    const { masters, start, mapped, block } = this.configuration;
    const { nesting } = this.kernel;
    const run = (operation: SmmuOperation): void => this.#runAlone(describe(operation), this.#task(operation));
    for (let place = 0; place < nesting.stages.length; place++)
      this.#runAlone(`domain_alloc(${place})`, this.#host.domainAlloc(place));
    this.#runAlone('map guest memory', this.#mapGuestMemory());
    for (let page = 0; page < mapped; page++) {
      for (const place of [0, 1, 2]) if (!block || place === 0) run({ op: 'map', place, page, frame: page });
      for (const space of [0, 1]) run({ op: 'guestMap', space, page, ipa: page });
    }
    if (block) for (const place of [1, 2]) run({ op: 'mapBlock', place, frame: 0 });
    for (let device = 0; device < masters; device++) {
      if (start !== 'stage 1') run({ op: 'vdeviceAlloc', device });
      if (start === 'nested') run({ op: 'guestStream', device, config: 2 });
      else run({ op: 'attach', place: start === 'stage 1' ? 0 : 1, device });
    }
    this.#witnesses.clear();
  }

  /** Stage 2 of the guest's own memory: one block, which no operation touches. */
  *#mapGuestMemory(): Task<boolean> {
    const { stage2, parent, nesting } = this.kernel;
    const { guestIpa, guestMemory } = nesting;
    return yield* stage2.arm_lpae_map_pages(parent, guestIpa, guestMemory.base, BLOCK_BYTES, READ | WRITE);
  }

  #runAlone(what: string, task: Task<boolean>): void {
    let done = false;
    const run = function* (): Task {
      done = yield* task;
    };
    runToCompletion(run());
    this.#afterStep();
    const { failure } = this.machine;
    if (failure !== undefined) throw new HarnessError(`set-up fails at ${what}: ${failure.message}`);
    if (!done) throw new HarnessError(`set-up: ${what} does not apply`);
  }
}

function nameOf(outcome: Outcome): string {
  if (outcome.kind === 'translation') return frameName(outcome.pa);
  if (outcome.kind === 'translated')
    return outcome.pa < 0 ? `${nameOf(outcome.end)} by ATC` : `${frameName(outcome.pa)} by ATC`;
  if (outcome.kind !== 'fault') return outcome.kind;
  return Object.entries(EVENT).find(([, code]) => code === outcome.event)?.[0] ?? `event ${outcome.event}`;
}
