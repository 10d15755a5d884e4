import type { Store } from '../../../engine/store.ts';
import { Ats, type AtsModelParts } from './ats/ats.ts';
import { Changes } from './changes.ts';
import { CommandQueue } from './commands/command-queue.ts';
import { Broadcasts } from './broadcast/broadcasts.ts';
import type { InvalidationListener } from './broadcast/listener.ts';
import { OutstandingBroadcasts } from './broadcast/outstanding-broadcasts.ts';
import { ConfigCache } from './configuration/config-cache.ts';
import { ConfigGraph, type ConfigPlace } from './configuration/config-graph.ts';
import { ConfigLookup } from './configuration/config-lookup.ts';
import { ContextConfigs } from './configuration/context-configs.ts';
import { resultOf, sameResult, type Access, type AccessResult } from './outcomes/event-record.ts';
import type { SmmuFeatures } from './layout/features.ts';
import { HeldQueries, type HeldDescription, type OutcomeSource } from './outcomes/held-queries.ts';
import { commandMark, HoldTable } from './holds.ts';
import { decodeCommand, type Command } from './commands/invalidation.ts';
import { REGISTER } from './layout/register.ts';
import { LookupConfigs } from './configuration/lookup-config.ts';
import type { PhysicalMemory } from './memory.ts';
import { OutcomeSets, OutcomeTable, type Outcome } from './outcomes/outcome.ts';
import { pagesOf, SlotOutcomes } from './outcomes/outcome-sets.ts';
import { StageTwoOutcomes } from './outcomes/stage-two-outcomes.ts';
import { PendingCommands } from './commands/pending.ts';
import { Registers, type BroadcastMaintenance } from './registers.ts';
import { TagTable } from './translation/tag.ts';
import type { StageTwo } from './translation/stage2/stage-two.ts';
import { Translation } from './translation/translation.ts';
import { indexUniverse, type IndexedUniverse, type Slot, type StreamContext, type Universe } from './universe.ts';
import type { WalkReader } from './translation/walk-node.ts';
import { WatchTable } from './watchers.ts';

/** Room that the model takes in the store. */
export interface SmmuCapacity {
  /** Most different things that may ever be held in one world. */
  readonly entries?: number;
  /** Most commands outstanding at a time. */
  readonly commands?: number;
  /** Of several SMMUs in one store: a name of its own. */
  readonly name?: string;
}

/**
 * Everything that an SMMUv3 is permitted to do to the accesses of a universe, given memory, registers and commands: the
 * saturated model of the Non-secure world (IHI 0070, VMSAv8-64). It is deterministic. All that it remembers of the past
 * is in the store; the objects outside are functions of their content.
 *
 *     const smmu = new SmmuV3(store, memory, features, { slots: [{ streamId: 1, substream: -1, va: 0x1000 }] });
 *     smmu.writeRegister(REGISTER.CR0, …);        // what software does: registers,
 *     smmu.memoryWritten(pa);                     // memory,
 *     smmu.completeCommands(prod);                // and what it has seen of the command queue
 *     smmu.outcomes(0);                           // what may happen to an access of slot 0 now
 */
export class SmmuV3 {
  readonly universe: IndexedUniverse;
  readonly features: SmmuFeatures;
  /** Address translation services; undefined where no slot uses them. */
  readonly ats: Ats | undefined;
  /** Broadcast TLB maintenance of CPUs. It has no effect unless `broadcast` is 'required'. */
  readonly dvm: Broadcasts;
  readonly #store: Store;
  readonly #registers: Registers;
  readonly #holds: HoldTable;
  readonly #pending: PendingCommands;
  readonly #queue: CommandQueue;
  readonly #outcomes = new OutcomeTable();
  readonly #sets = new OutcomeSets(this.#outcomes);
  readonly #configs = new LookupConfigs();
  readonly #translation: Translation;
  readonly #stageTwo: StageTwo;
  readonly #cache: ConfigCache;
  readonly #lookup: ConfigLookup;
  readonly #slots: SlotOutcomes;
  readonly #queries: HeldQueries;
  readonly #watchers = new WatchTable();
  readonly #contexts: ContextConfigs;
  readonly #changes: Changes;
  readonly #touchPlace = (place: ConfigPlace): void => this.#changes.touchStreams(place.streamId, place.streams);
  readonly #dirty = new Set<number>();
  readonly #takeSlot = (slot: number): void => {
    if (this.#update(slot)) this.#dirty.add(slot);
  };
  #matched = 0;

  constructor(
    store: Store,
    memory: PhysicalMemory,
    features: SmmuFeatures,
    universe: Universe,
    capacity: SmmuCapacity = {},
  ) {
    this.#store = store;
    this.features = features;
    this.universe = indexUniverse(universe);
    this.#registers = new Registers(store, features);
    this.#holds = new HoldTable(store, capacity.entries ?? 1 << 14, capacity.name);
    const outstanding = features.btm ? new OutstandingBroadcasts(store) : undefined;
    this.#pending = new PendingCommands(store, capacity.commands ?? 1 << 10, outstanding);
    this.#queue = this.#makeQueue(memory);
    this.#contexts = new ContextConfigs(store, this.universe, this.#configs);
    this.#changes = new Changes(this.universe);
    const tags = new TagTable(this.universe.addresses.length);
    const holds = this.#holds;
    const { addresses } = this.universe;
    const touched = (address: number): void => this.#changes.touchSlots(addresses[address]?.slots ?? []);
    const watch = (pa: number, stage: 1 | 2, reader: WalkReader): void => {
      this.#watchers.addReader(pa, stage, reader);
    };
    this.#translation = new Translation({ memory, holds, pending: this.#pending, tags, watch, touched });
    const { walks } = this.#translation;
    this.#stageTwo = this.#translation.stageTwo;
    const graph = new ConfigGraph(store, holds, (pa, word) => this.#watchers.addWord(pa, word));
    this.#cache = new ConfigCache(store, graph, holds, memory, this.#pending);
    const conflicts = { conflicts: features.bbml < 2, nTHonoured: features.bbml === 1 };
    const ofStageTwo = { holds, outcomes: this.#outcomes, stageTwo: this.#stageTwo };
    const stageTwoOutcomes = new StageTwoOutcomes({ ...ofStageTwo, ...conflicts });
    const parts = { features, universe: this.universe, walks, configs: this.#configs };
    this.#lookup = new ConfigLookup({
      ...parts,
      ...ofStageTwo,
      store,
      graph,
      cache: this.#cache,
      tags,
      stageTwoOutcomes,
      e2h: () => this.#registers.e2h,
    });
    this.#slots = new SlotOutcomes({
      ...parts,
      store,
      holds,
      outcomes: this.#outcomes,
      sets: this.#sets,
      outputPages: pagesOf(features.oas),
      stageTwo: stageTwoOutcomes,
      ...conflicts,
    });
    const held = { holds, translation: this.#translation };
    this.#queries = new HeldQueries({
      ...held,
      universe: this.universe,
      graph,
      cache: this.#cache,
      configsOf: (context) => this.#contexts.of(context),
    });
    this.ats = this.#makeAts({ ...parts, store, holds });
    const settle = (): void => this.#settle();
    this.dvm = new Broadcasts({ ...held, registers: this.#registers, outstanding, settle });
    this.#everythingChanged();
  }

  #makeQueue(memory: PhysicalMemory): CommandQueue {
    return new CommandQueue({
      store: this.#store,
      features: this.features,
      registers: this.#registers,
      memory,
      pending: this.#pending,
      takeTimeout: () => this.ats?.takeTimeout() ?? false,
    });
  }

  #makeAts(parts: Pick<AtsModelParts, 'features' | 'universe' | 'configs' | 'store' | 'holds'>): Ats | undefined {
    if (!this.features.ats || this.universe.slots.every(({ ats }) => ats !== true)) return undefined;
    return new Ats({
      ...parts,
      outcomes: this.#outcomes,
      sets: this.#sets,
      registers: this.#registers,
      slots: this.#slots,
      stageTwo: this.#stageTwo,
      pending: this.#pending,
      configLookup: this.#lookup,
      configSetOf: (context) => this.#contexts.setOf(context),
      touched: (slots) => this.#changes.touchSlots(slots),
      settle: () => this.#settle(),
    });
  }

  /** Tells of a write to the 64-bit word at `pa`. Costs next to nothing if no walk or fetch reads that word. */
  memoryWritten(pa: number): void {
    const watchers = this.#watchers.find(pa);
    if (watchers === undefined || !this.#registers.enabled) return;
    for (const reader of watchers.stageTwo) this.#stageTwo.tlb.reread(reader);
    for (const reader of watchers.readers) this.#translation.tlb.reread(reader);
    for (const word of watchers.words) if (this.#cache.reread(word)) this.#touchPlace(word.place);
    this.#settle();
  }

  /** Writes a register of the Non-secure programming interface: 64 bits if `high` is given (§6.2). */
  writeRegister(offset: number, low: number, high?: number): void {
    const wasEnabled = this.#registers.enabled;
    const wasProcessing = this.#registers.commandQueueEnabled;
    this.#registers.write(offset, low, high);
    switch (offset) {
      case REGISTER.CR0:
        if (wasProcessing && !this.#registers.commandQueueEnabled) this.#queue.stop();
        if (!wasProcessing && this.#registers.commandQueueEnabled) this.#queue.restart();
        if (this.#registers.enabled !== wasEnabled) {
          if (!wasEnabled) this.#translation.walkAll();
          this.#everythingChanged();
        } else if (this.ats !== undefined) this.#everythingChanged();
        this.#begin();
        return;
      case REGISTER.CMDQ_PROD:
      case REGISTER.GERRORN:
        this.#begin();
        return;
      case REGISTER.CR2:
      case REGISTER.GBPA:
      case REGISTER.STRTAB_BASE:
      case REGISTER.STRTAB_BASE + 4:
      case REGISTER.STRTAB_BASE_CFG:
        this.#everythingChanged();
    }
  }

  /** Whether broadcast TLB maintenance has an effect. */
  get broadcast(): BroadcastMaintenance {
    return this.#registers.broadcast;
  }

  /** Has somebody told of each TLB entry that an invalidation covers. It costs nothing as long as nobody is. */
  onInvalidation(listener: InvalidationListener): void {
    this.dvm.audience.add(listener);
  }

  /** Reads 32 bits of a register (§6.2). */
  readRegister(offset: number): number {
    return this.#registers.read(offset);
  }

  /**
   * Software has observed that CMDQ_CONS passed the commands before index `prod` (with wrap bit). Worst-case hardware
   * completes them only now, and completes what lies before the last CMD_SYNC among them.
   */
  completeCommands(prod: number): void {
    const sequence = this.#queue.complete(prod);
    if (sequence === this.#pending.first) return;
    this.#pending.completeBefore(sequence);
    this.#translation.complete(sequence);
    this.#cache.complete(sequence, this.#touchPlace);
    this.ats?.complete(sequence);
    this.#settle();
  }

  /** All outcomes permitted now for an access of a slot, whatever its kind. */
  outcomes(slot: number): readonly Outcome[] {
    return this.#sets.at(this.#slots.setOf(slot));
  }

  /** A number that is the same whenever the outcomes of a slot are the same. */
  outcomeSet(slot: number): number {
    return this.#slots.setOf(slot);
  }

  /** What is permitted now for an access of one kind, each result once. */
  outcomesFor(slot: number, access: Access): readonly AccessResult[] {
    const results: AccessResult[] = [];
    for (const outcome of this.outcomes(slot)) {
      const result =
        outcome.kind === 'translated'
          ? this.ats?.resultOf(outcome, slot, access)
          : resultOf(outcome, this.universe.slots[slot] as Slot, access);
      if (result !== undefined && !results.some((other) => sameResult(other, result))) results.push(result);
    }
    return results;
  }

  /** The slots whose outcomes have changed since this was last asked (not counting what a rollback changed back), ascending. */
  takeDirtySlots(): number[] {
    if (this.#dirty.size === 0) return [];
    const dirty = [...this.#dirty].sort((a, b) => a - b);
    this.#dirty.clear();
    return dirty;
  }

  /** Whether a walk or configuration fetch may still read from some memory. */
  tableHeld(pa: number, size: number): HeldDescription | undefined {
    return this.#queries.tableHeld(pa, size);
  }

  /** Whether an ASID (of any VMID, if none is given) tags something held, or a configuration that may be used. */
  asidInUse(asid: number, vmid = -1): HeldDescription | undefined {
    return this.#queries.asidInUse(asid, vmid);
  }

  /** Whether a VMID tags something held, or a configuration that may be used. */
  vmidInUse(vmid: number): HeldDescription | undefined {
    return this.#queries.vmidInUse(vmid);
  }

  /** Everything held in the TLB, in words, for reports. */
  heldTranslations(): HeldDescription[] {
    return [...this.#queries.heldTranslations(), ...(this.ats?.held() ?? [])];
  }

  /** What gives a slot an outcome now. */
  explain(slot: number, outcome: Outcome): OutcomeSource[] {
    if (this.ats?.serves(slot) !== true) return this.#queries.explain(slot, outcome);
    return [...this.#queries.explain(slot, outcome), ...this.ats.explain(slot, outcome)];
  }

  /** What a command, given as four lanes, would cover now (for reports: an invalidation that matches nothing is telling). */
  covers(lanes: ArrayLike<number>): HeldDescription[] {
    const command = decodeCommand(this.features, lanes, this.#registers.e2h);
    return command.kind === 'atc' ? (this.ats?.covers(command) ?? []) : this.#queries.covers(command);
  }

  /** Number of held things that the commands begun by the last register write cover. */
  get coveredByLastCommands(): number {
    return this.#matched;
  }

  #begin(): void {
    this.#matched = 0;
    this.#queue.begin((command, sequence) => this.#issue(command, sequence));
  }

  #issue(command: Command, sequence: number): void {
    if (command.kind === 'tlb') {
      this.dvm.audience.tell('command', command, true);
      const { enabled } = this.#registers;
      this.#matched += this.#translation.invalidate(command, commandMark(sequence), enabled);
    }
    if (command.kind === 'atc' && this.ats !== undefined) {
      this.#matched += this.ats.invalidate(command, sequence);
      // What a request can still bring is brought back.
      this.#settle();
    }
    if (command.kind !== 'config') return;
    this.#matched += this.#cache.invalidate(command, sequence, this.#touchPlace);
    // Following the pointers again reads, and so revives, what is in memory now.
    this.#settle();
  }

  #everythingChanged(): void {
    this.#changes.touchStreams(0, 2 ** 32);
    this.#settle();
  }

  /** Draws the conclusions from everything that has been touched. */
  #settle(): void {
    do {
      while (this.#changes.inStreams || this.#stageTwo.changed) {
        this.#settleStageTwo();
        if (this.#changes.inStreams) this.#followStreams();
      }
      this.#changes.takeSlots(this.#takeSlot);
      // What a device has been given may have to be translated by stage 2.
    } while (this.#stageTwo.changed);
  }

  #followStreams(): void {
    const registers = this.#registers.streamTable();
    this.#changes.takeStreams((streamId) => {
      this.#lookup.follow(streamId, registers);
      for (const context of this.universe.contexts) {
        if (context.streamId !== streamId) continue;
        this.ats?.reconfigure(context);
        if (this.#contexts.lookUp(context, this.#lookup, registers, this.#translation))
          this.#changes.touchSlots(context.slots);
      }
    });
  }

  /** What goes through a page for which stage 2 may have changed is looked at again, which may lead to more pages. */
  #settleStageTwo(): void {
    for (let page = this.#stageTwo.takeTouched(); page !== undefined; page = this.#stageTwo.takeTouched()) {
      // Nothing is inserted while translation is disabled (§6.3.9.6).
      if (this.#registers.enabled) this.#translation.tlb.stageTwoChanged(page);
      this.#changes.touchSlots(page.slots);
      for (const streamId of page.streams) this.#changes.touchStreams(streamId, 1);
    }
  }

  #update(slot: number): boolean {
    if (this.ats?.serves(slot) === true) return this.ats.update(slot);
    return this.#slots.update(slot, this.#contexts.setOf(this.universe.contextOf[slot] as StreamContext));
  }
}
