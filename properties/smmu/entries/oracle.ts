import type { Failure } from '../../../engine/failure.ts';
import type { Machine } from '../../../engine/machine.ts';
import {
  arm_smmu_get_cd_used,
  arm_smmu_get_ste_update_safe,
  arm_smmu_get_ste_used,
  ENTRY_WORDS,
  planEntryUpdate,
} from '../../../impl/kernel/config-entry.ts';
import type { PhysicalMemory, SmmuPort } from '../../../impl/platform/index.ts';
import { extract, QUEUE_BASE, read, REGISTER, STE } from '../../../model/architecture/arm/layout/index.ts';
import { drops, type Covered } from './commands.ts';
import { contentsOf, type Subject } from './configuration.ts';
import { HeldStructure } from './held.ts';
import { actsAsDescriptor, actsAsStream, descriptorMeaning, REFUSED, streamMeaning } from './meaning.ts';
import { isLinked } from './structures.ts';

/** What an oracle looks at. */
export interface OracleParts {
  readonly machine: Machine;
  readonly memory: PhysicalMemory;
  readonly subject: Subject;
  readonly streamId: number;
  readonly substream: number;
}

const COMMAND_BYTES = 16;
const COMMAND_WORDS = 2;

/** Cells: what the entry was, what it becomes, 1 while it changes, 1 if it has to be invalid meanwhile. */
const OLD = 0;
const TARGET = 1;
const CHANGING = 2;
const BREAKING = 3;

/** Where something is held, and what drops it. */
interface Place {
  readonly held: HeldStructure;
  readonly covered: Covered;
}

/**
 * Watches stores and invalidations, keeps what hardware may hold of an entry, and says whether all of it may be used. It
 * knows nothing of the architecture's model but the layouts.
 */
export class Oracle {
  readonly #parts: OracleParts;
  readonly #state: number;
  /** Register contents that a driver writes at boot. */
  #queue = 0;
  #log2Entries = 0;
  readonly #prod: number;
  #entry: Place | undefined;
  #table: Place | undefined;

  constructor(parts: OracleParts) {
    this.#parts = parts;
    const { store } = parts.machine;
    this.#state = store.reserve(4, 'entry under change');
    this.#prod = store.reserve(1, 'CMDQ_PROD seen');
    parts.memory.onWrite((pa) => this.#written(pa));
  }

  /** The SMMU's registers, with an eye on the command queue. */
  port(smmu: SmmuPort): SmmuPort {
    return {
      writeRegister: (offset, low, high) => {
        if (offset === REGISTER.CMDQ_BASE) {
          this.#queue = extract(QUEUE_BASE.fields.ADDR, low, high ?? 0);
          this.#log2Entries = extract(QUEUE_BASE.fields.LOG2SIZE, low, high ?? 0);
        }
        if (offset === REGISTER.CMDQ_PROD) this.#issued(low);
        smmu.writeRegister(offset, low, high);
      },
      readRegister: (offset) => smmu.readRegister(offset),
      completeCommands: (prod) => {
        // Changes are serialised, so no invalidation of the entry is issued behind `prod`.
        for (const { held } of this.#places()) held.complete();
        smmu.completeCommands(prod);
      },
    };
  }

  /** The set-up is done: from now on everything counts. */
  start(entry: number, table: number, content: number): void {
    const { machine, memory, subject, streamId, substream } = this.#parts;
    const { store } = machine;
    const kind = subject === 'ste' ? 'STE' : 'CD';
    const covered = { streamId, substream };
    this.#entry = { held: new HeldStructure(store, memory, entry, ENTRY_WORDS), covered: { kind, ...covered } };
    if (subject === 'cd-two-level')
      this.#table = { held: new HeldStructure(store, memory, table, 1), covered: { kind: 'L1CD', ...covered } };
    for (const { held } of this.#places()) held.reset();
    for (const [at, value] of [content, content, 0, 0].entries()) store.set(this.#state + at, value);
  }

  /** An update begins: inside the step that reads the entry. True if the entry has to be invalid in between. */
  begin(to: number): boolean {
    const { store } = this.#parts.machine;
    const from = store.get(this.#state + TARGET);
    const breaking = this.#plan(from, to).breaking;
    for (const [at, value] of [from, to, 1, breaking ? 1 : 0].entries()) store.set(this.#state + at, value);
    return breaking;
  }

  /** Index of what the entry is, or becomes. */
  get current(): number {
    return this.#parts.machine.store.get(this.#state + TARGET);
  }

  /** The update has returned: from now on the old entry counts as forgotten. */
  end(): undefined {
    const { store } = this.#parts.machine;
    store.set(this.#state + CHANGING, 0);
    store.set(this.#state + BREAKING, 0);
  }

  /** Words in which the entries of the update under way differ. */
  wordsChanged(): number {
    const { old, target } = this.#permitted();
    return Array.from({ length: ENTRY_WORDS }, (_, word) => word).filter((word) =>
      [0, 1].some((lane) => old[2 * word + lane] !== target[2 * word + lane]),
    ).length;
  }

  /** True if hardware may hold more than one version of some word. */
  severalVersions(): boolean {
    let count = 0;
    for (const _ of this.#entry?.held.mixes() ?? []) if (++count > 1) return true;
    return false;
  }

  /** What is wrong with what hardware may hold now. */
  check(): Failure | undefined {
    const refused = this.#tableRefuses() ? this.#wrong(REFUSED, undefined) : undefined;
    if (refused !== undefined) return refused;
    for (const mix of this.#entry?.held.mixes() ?? []) {
      const failure = this.#wrong(this.#meaning(mix), mix);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /**
   * What is wrong with what the architecture permits accesses to come to, by slot.
   *
   * @param stable what they come to while nothing changes, under a content.
   */
  judge(
    outcomes: readonly (readonly string[])[],
    stable: (content: number) => readonly (readonly string[])[],
  ): Failure | undefined {
    const { store } = this.#parts.machine;
    const { subject } = this.#parts;
    const contents = [store.get(this.#state + TARGET)];
    if (store.get(this.#state + CHANGING) === 1) contents.push(store.get(this.#state + OLD));
    // Content 0 is the invalid entry.
    if (store.get(this.#state + BREAKING) === 1) contents.push(0);
    for (const [slot, found] of outcomes.entries()) {
      const slots = [slot, ...this.#sharing(slot)];
      const known = (outcome: string): boolean =>
        contents.some((content) => slots.some((each) => stable(content)[each]?.includes(outcome)));
      const wrong = found.find((outcome) => !known(outcome));
      if (wrong === undefined) continue;
      const names = contents.map((content) => contentsOf(subject)[content]?.name);
      return {
        monitor: 'entry',
        rule: 'unpermitted-outcome',
        message: `An access may come to ${wrong}, which it does under none of: ${names.join(', ')}.`,
        data: { kind: subject, slot },
      };
    }
    return undefined;
  }

  /** What is held, a line for each word of which there are several versions. */
  lines(): string[] {
    const seen = new Map<number, Set<string>>();
    for (const mix of this.#entry?.held.mixes() ?? [])
      for (let word = 0; word < ENTRY_WORDS; word++) {
        const texts = seen.get(word) ?? new Set<string>();
        seen.set(word, texts.add(hex(mix, word)));
      }
    return [...seen]
      .filter(([, texts]) => texts.size > 1)
      .map(([word, texts]) => `word ${word} held as ${[...texts].join(' and ')}`);
  }

  /**
   * Slots whose context descriptors an access may get meanwhile. A cached descriptor is known by StreamID and SubstreamID
   * alone (IHI 0070 §5.4.1): while an entry moves to another table, one that was cached through the new entry may serve an
   * access that uses the old one. Descriptor 0 is for accesses without a substream under one entry, for those with
   * substream 0 under another. (Linux gives a device one table for life.)
   */
  #sharing(slot: number): number[] {
    const { machine, subject } = this.#parts;
    if (subject !== 'ste' || machine.store.get(this.#state + CHANGING) === 0 || slot > 1) return [];
    const { old, target } = this.#permitted();
    const pointer = STE.fields.S1ContextPtr;
    return read(pointer, old) === read(pointer, target) ? [] : [1 - slot];
  }

  #wrong(meaning: string, mix: readonly number[] | undefined): Failure | undefined {
    const { store } = this.#parts.machine;
    const { subject } = this.#parts;
    const permitted = this.#permitted();
    const changing = store.get(this.#state + CHANGING) === 1;
    const [was, becomes] = [OLD, TARGET].map((at) => contentsOf(subject)[store.get(this.#state + at)]?.name);
    if (!changing) {
      if (meaning === this.#meaning(permitted.target)) return undefined;
      const message = `The update to "${becomes}" has returned, but the SMMU may still use ${describe(meaning, was)}.`;
      return { monitor: 'entry', rule: 'stale-configuration', message, data: this.#data(mix) };
    }
    if (meaning === REFUSED && store.get(this.#state + BREAKING) === 1) return undefined;
    const acts = subject === 'ste' ? actsAsStream : actsAsDescriptor;
    if (mix !== undefined && acts(mix, permitted)) return undefined;
    if (mix === undefined && this.#meaning(permitted.old) === REFUSED) return undefined;
    const rule = meaning === REFUSED ? 'refused-while-hitless' : 'mixed-configuration';
    const message =
      rule === 'mixed-configuration'
        ? `While the entry changes from "${was}" to "${becomes}", the SMMU may use a mix that is neither.`
        : `While the entry changes from "${was}" to "${becomes}", which can be done without a gap, the SMMU may find it invalid.`;
    return { monitor: 'entry', rule, message, data: this.#data(mix) };
  }

  #data(mix: readonly number[] | undefined): Readonly<Record<string, string>> {
    const { old, target } = this.#permitted();
    const kind = this.#parts.subject;
    if (mix === undefined) return { kind, words: 'the descriptor of the second-level table is invalid' };
    const words: string[] = [];
    for (let word = 0; word < ENTRY_WORDS; word++) {
      const text = hex(mix, word);
      if (hex(old, word) === hex(target, word) && text === hex(old, word)) continue;
      const whose = text === hex(old, word) ? 'old' : text === hex(target, word) ? 'new' : text;
      words.push(`word ${word} ${whose}`);
    }
    return { kind, words: words.join(', ') };
  }

  #tableRefuses(): boolean {
    for (const mix of this.#table?.held.mixes() ?? []) if (!isLinked(mix)) return true;
    return false;
  }

  #permitted() {
    const { store } = this.#parts.machine;
    const contents = contentsOf(this.#parts.subject);
    const lanes = (at: number): readonly number[] => contents[store.get(this.#state + at)]?.lanes ?? [];
    return { old: lanes(OLD), target: lanes(TARGET) };
  }

  #meaning(lanes: readonly number[]): string {
    return this.#parts.subject === 'ste' ? streamMeaning(lanes) : descriptorMeaning(lanes);
  }

  #plan(from: number, to: number) {
    const contents = contentsOf(this.#parts.subject);
    const [old, target] = [contents[from]?.lanes ?? [], contents[to]?.lanes ?? []];
    return this.#parts.subject === 'ste'
      ? planEntryUpdate(old, target, arm_smmu_get_ste_used, arm_smmu_get_ste_update_safe)
      : planEntryUpdate(old, target, arm_smmu_get_cd_used);
  }

  #places(): Place[] {
    return [this.#entry, this.#table].filter((place) => place !== undefined);
  }

  #written(pa: number): void {
    for (const { held } of this.#places()) {
      const word = held.wordAt(pa);
      if (word >= 0) held.read(word);
    }
  }

  #issued(prod: number): void {
    const { machine, memory } = this.#parts;
    const mask = 2 ** this.#log2Entries - 1;
    let at = machine.store.get(this.#prod);
    for (; at !== prod; at = (at + 1) & (2 * mask + 1)) {
      const lanes = memory.readWords(this.#queue + (at & mask) * COMMAND_BYTES, COMMAND_WORDS);
      for (const { held, covered } of this.#places()) if (drops(lanes, covered)) held.invalidate();
    }
    machine.store.set(this.#prod, prod);
  }
}

function describe(meaning: string, was: string | undefined): string {
  return meaning === REFUSED ? 'an invalid entry' : `something else (it was "${was}")`;
}

function hex(lanes: readonly number[], word: number): string {
  const lane = (at: number): string => ((lanes[at] ?? 0) >>> 0).toString(16).padStart(8, '0');
  return `0x${lane(2 * word + 1)}${lane(2 * word)}`;
}
