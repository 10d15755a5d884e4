import { step, type Step, type Task } from '../../engine/step.ts';
import {
  CD,
  CD_TABLE_L1,
  COMMAND_CFGI,
  encode,
  OPCODE,
  patch,
  S1_FORMAT,
  S1DSS,
  STE,
  STE_CONFIG,
  STREAM_WORLD,
} from '../../model/architecture/arm/layout/index.ts';
import type { Command } from './cmdq.ts';
import {
  arm_smmu_get_cd_used,
  arm_smmu_get_ste_update_safe,
  arm_smmu_get_ste_used,
  ENTRY_WORDS,
  planEntryUpdate,
  prepareEntry,
  type Entry,
  type SafeBits,
  type UsedBits,
} from './config-entry.ts';
import type { Kernel } from './kernel.ts';
import type { Master, Space } from './objects.ts';

/** A configuration entry in memory, and how the SMMU is told that it changed. */
export interface EntryRef {
  /** What a report calls it: "CD(dev0, 0)", "STE(dev0)". */
  readonly name: string;
  readonly pa: number;
  readonly used: UsedBits;
  /** Which bits need no order; default: none. */
  readonly safe?: SafeBits;
  /** Invalidates the cached copies of the entry. */
  readonly invalidate: Command;
}

/** A change of an entry. */
export interface EntryChange {
  /** What it becomes, in a few words for the report. */
  readonly what: string;
  /** The entry wanted, given the current one; must give the same while the change is under way. Inside a step. */
  readonly target: (current: Entry) => Entry;
  /** Called inside the step that looks at the entry, before anything is changed. */
  readonly begin?: () => void;
}

/** MAIR of Linux: index 0 device, 1 normal non-cacheable, 2 normal write-back. */
const MAIR0 = 0x00ff_4400;
/** `AttrIndx` of normal write-back memory in `MAIR0`. */
export const ATTRIBUTE_NORMAL = 2;
const WRITE_BACK = 1;
const INNER_SHAREABLE = 3;
const USE_INCOMING = 1;
/** `IPS` for 48 bits of output address. */
const OAS_48 = 5;

/** Writes stream table entries and context descriptors so that the SMMU never acts on a mix of old and new. */
export class ArmSmmuConfigWriter {
  protected readonly kernel: Kernel;
  /** References by name: they are the same for ever. */
  readonly #entries = new Map<string, EntryRef>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /**
   * `arm_smmu_write_entry()`: rewrites an entry word by word, every store a step, with a CFGI and CMD_SYNC after each
   * phase (see `planEntryUpdate`).
   */
  *arm_smmu_write_entry(entry: EntryRef, change: EntryChange): Task {
    const plan = yield* this.plan(entry, change);
    const breaking = plan >>> 24 === 1;
    for (let phase = 0; phase < 3; phase++) {
      const words = (plan >>> (8 * phase)) & 0xff;
      if (words === 0) continue;
      for (let word = 0; word < ENTRY_WORDS; word++)
        if (((words >>> word) & 1) === 1) yield* this.writeWord(entry, change, word, valueOf(breaking, phase));
      yield* this.arm_smmu_sync_entry(entry);
    }
  }

  /**
   * `arm_smmu_write_cd_l1_desc()`: links a second-level table of context descriptors. An invalid descriptor may be cached
   * as well, and only a CFGI_CD with Leaf=0 makes the SMMU forget it (IHI 0070 §3.21.3, §4.3.3).
   */
  *arm_smmu_write_cd_l1_desc(entry: EntryRef, table: number): Task {
    yield* step(`${entry.name} := table 0x${table.toString(16)}`, () => {
      this.kernel.memory.writeWords(entry.pa, encode(CD_TABLE_L1, { V: 1, L2Ptr: table }));
      return undefined;
    });
    yield* this.arm_smmu_sync_entry(entry);
  }

  /** `arm_smmu_sync_cd()`, `arm_smmu_sync_ste_for_sid()`: the SMMU forgets the old entry. */
  *arm_smmu_sync_entry(entry: EntryRef): Task {
    yield* this.kernel.cmdq.issueSync([entry.invalidate]);
  }

  /** The plan as one number: a byte of words for each phase, bit 24 if the entry must be invalid in between. */
  protected plan(entry: EntryRef, change: EntryChange): Step<number> {
    return step(`read ${entry.name}`, () => {
      change.begin?.();
      const current = this.current(entry);
      const { breaking, phases } = planEntryUpdate(current, change.target(current), entry.used, entry.safe);
      return phases[0] | (phases[1] << 8) | (phases[2] << 16) | (breaking ? 1 << 24 : 0);
    });
  }

  /** WRITE_ONCE of one word of an entry. */
  protected writeWord(entry: EntryRef, change: EntryChange, word: number, kind: WordValue): Step<undefined> {
    const what = kind === 'invalid' ? 'V=0' : change.what;
    return step(`${entry.name}[${word}] := ${what}`, () => {
      const current = this.current(entry);
      const target = change.target(current);
      let [low, high] = [target[2 * word] as number, target[2 * word + 1] as number];
      if (kind === 'invalid') [low, high] = [(current[0] as number) & ~entryValid(entry), current[1] as number];
      else if (kind === 'prepared') {
        const prepared = prepareEntry(current, target, entry.used, entry.safe);
        [low, high] = [prepared[2 * word] as number, prepared[2 * word + 1] as number];
      }
      this.kernel.memory.writeWord(entry.pa + 8 * word, low, high);
      return undefined;
    });
  }

  /** The entry as it stands in memory. Inside a step. */
  protected current(entry: EntryRef): Entry {
    return this.kernel.memory.readWords(entry.pa, ENTRY_WORDS);
  }

  /** The context descriptor of a device for a substream. */
  cd(master: Master, ssid: number): EntryRef {
    return this.#entry(`CD(${master.name}, ${ssid})`, (name) => {
      const command = { Opcode: OPCODE.CFGI_CD, StreamID: master.streamId, SubstreamID: ssid, Leaf: 1 };
      const invalidate = { label: `CMD_CFGI_CD ${master.name}, ${ssid}`, lanes: encode(COMMAND_CFGI, command) };
      return { name, pa: master.cdTable + ssid * ENTRY_WORDS * 8, used: arm_smmu_get_cd_used, invalidate };
    });
  }

  /** The descriptor of a second-level table, in a table of two levels at `cdTable`: the first one, with these substreams. */
  l1Cd(master: Master, ssid: number): EntryRef {
    return this.#entry(`L1CD(${master.name}, ${ssid})`, (name) => {
      const command = { Opcode: OPCODE.CFGI_CD, StreamID: master.streamId, SubstreamID: ssid, Leaf: 0 };
      const invalidate = { label: `CMD_CFGI_CD ${master.name}, ${ssid}, Leaf=0`, lanes: encode(COMMAND_CFGI, command) };
      return { name, pa: master.cdTable, used: arm_smmu_get_cd_used, invalidate };
    });
  }

  /** The stream table entry of a device. */
  ste(master: Master): EntryRef {
    return this.#entry(`STE(${master.name})`, (name) => {
      const command = { Opcode: OPCODE.CFGI_STE, StreamID: master.streamId, Leaf: 1 };
      const invalidate = { label: `CMD_CFGI_STE ${master.name}`, lanes: encode(COMMAND_CFGI, command) };
      const safe = arm_smmu_get_ste_update_safe;
      return { name, pa: master.ste, used: arm_smmu_get_ste_used, safe, invalidate };
    });
  }

  #entry(name: string, make: (name: string) => EntryRef): EntryRef {
    let entry = this.#entries.get(name);
    if (entry === undefined) this.#entries.set(name, (entry = make(name)));
    return entry;
  }

  /**
   * A context descriptor of a space (`arm_smmu_make_s1_cd`, `arm_smmu_make_sva_cd`).
   *
   * @param privateAsid sets ASET: the ASID is not one of the CPU's (IHI 0070 §5.4).
   */
  spaceCd(space: Space, asid: number, privateAsid: boolean, begin?: () => void): EntryChange {
    const { t0sz, granule } = this.kernel.config;
    const values = {
      T0SZ: t0sz,
      TG0: granule === 12 ? 0 : granule === 14 ? 2 : 1,
      IR0: WRITE_BACK,
      OR0: WRITE_BACK,
      SH0: INNER_SHAREABLE,
      EPD1: 1,
      V: 1,
      IPS: OAS_48,
      AA64: 1,
      R: 1,
      A: 1,
      ASET: privateAsid ? 1 : 0,
      ASID: asid,
      MAIR0,
    };
    const target = (): Entry => encode(CD, { ...values, TTB0: space.pgd.value });
    return { what: `${space.name}, ASID ${asid}`, target, ...(begin === undefined ? {} : { begin }) };
  }

  /** A context descriptor with another ASID; nothing else changes, so one store does it. */
  cdWithAsid(asid: number): EntryChange {
    return { what: `ASID ${asid}`, target: (current) => patch(CD, current, { ASID: asid }) };
  }

  /** A valid context descriptor that translates nothing (`quiet_cd`): accesses fault without an error event. */
  quietCd(begin: () => void): EntryChange {
    return { what: 'quiet', target: (current) => patch(CD, current, { EPD0: 1 }), begin };
  }

  /** No context descriptor; what its other words hold does not matter. */
  noCd(begin?: () => void): EntryChange {
    const target = (current: Entry): Entry => [0, 0, ...current.slice(2)];
    return { what: '0', target, ...(begin === undefined ? {} : { begin }) };
  }

  /** A stream table entry that translates by the device's context descriptors (`arm_smmu_make_cdtable_ste`). */
  stage1Ste(master: Master): EntryChange {
    const lanes = encode(STE, {
      V: 1,
      Config: STE_CONFIG.STAGE1,
      S1Fmt: S1_FORMAT.LINEAR,
      S1ContextPtr: master.cdTable,
      S1CDMax: this.kernel.config.substreamBits,
      S1DSS: S1DSS.SUBSTREAM_0,
      S1CIR: WRITE_BACK,
      S1COR: WRITE_BACK,
      S1CSH: INNER_SHAREABLE,
      STRW: STREAM_WORLD.EL1,
    });
    return { what: 'stage 1', target: () => lanes };
  }

  /** A stream table entry for a device without a domain: bypass or abort. */
  detachedSte(begin?: () => void): EntryChange {
    const lanes = this.kernel.config.bypass
      ? encode(STE, { V: 1, Config: STE_CONFIG.BYPASS, SHCFG: USE_INCOMING })
      : encode(STE, { V: 1, Config: STE_CONFIG.ABORT });
    const what = this.kernel.config.bypass ? 'bypass' : 'abort';
    return { what, target: () => lanes, ...(begin === undefined ? {} : { begin }) };
  }
}

/** What a store puts into a word: its target value, the target's bits where unused, or the entry made invalid. */
export type WordValue = 'target' | 'prepared' | 'invalid';

function valueOf(breaking: boolean, phase: number): WordValue {
  if (phase > 0) return 'target';
  return breaking ? 'invalid' : 'prepared';
}

/** Mask of the valid bit in the low lane of word 0: bit 31 of a context descriptor, bit 0 of a stream table entry. */
function entryValid(entry: EntryRef): number {
  return entry.used === arm_smmu_get_cd_used ? 1 << CD.fields.V.lsb : 1 << STE.fields.V.lsb;
}
