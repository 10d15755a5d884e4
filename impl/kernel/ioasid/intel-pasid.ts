import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  DESCRIPTOR_TYPE,
  encode,
  IOTLB_GRANULARITY,
  IOTLB_INVALIDATE,
  PASID_CACHE_GRANULARITY,
  PASID_CACHE_INVALIDATE,
  PASID_DEVICE_TLB_INVALIDATE,
  PASID_ENTRY,
  PASID_IOTLB_GRANULARITY,
  PASID_IOTLB_INVALIDATE,
  PGTT,
  read,
  type FieldValues,
} from '../../../model/architecture/vtd/layout/index.ts';
import type { IoasidKernel } from './kernel.ts';
import type { VtdPort } from './port.ts';

/** All bits of a page number but the highest: a device-TLB invalidation of every address (PCIe ATS). */
const EVERY_ADDRESS = 2 ** 63 - 2 ** 12;
const TYPE_UNIT = 0x1_0000;

/** What is cached of a PASID entry: tags under which it has to be flushed. */
export interface EntryTag {
  readonly device: number;
  readonly pasid: number;
  readonly did: number;
  /** One of `PGTT`. */
  readonly type: number;
}

/**
 * PASID entries in memory, and the invalidation queue (`drivers/iommu/intel/pasid.c`). `pasid_mutex` is held. Page walks are
 * coherent, so that no cache lines are flushed, and the caching mode is 0.
 */
export class IntelPasid {
  protected readonly kernel: IoasidKernel;
  protected readonly port: VtdPort;

  constructor(kernel: IoasidKernel, port: VtdPort) {
    this.kernel = kernel;
    this.port = port;
  }

  /** `intel_pasid_setup_first_level()`, `intel_pasid_setup_nested()`: everything, then P. */
  *setup(device: number, pasid: number, owner: number): Task {
    const { did, type, firstStage, secondStage } = this.port.domain(owner);
    const nested = type === PGTT.NESTED ? { SLPTPTR: secondStage } : {};
    const fields = { PGTT: type, DID: did, FLPTPTR: firstStage, PWSNP: 1, SRE: 1, WPE: 1, ...nested };
    yield* this.writeFields(device, pasid, fields);
    yield* this.set_present(device, pasid);
  }

  /** Inside one step: as long as P is clear nobody looks. */
  protected writeFields(device: number, pasid: number, fields: FieldValues<typeof PASID_ENTRY>): Step<undefined> {
    return step(`PASID entry(dev${device}, ${pasid}) := DID ${fields.DID}, tables`, () => {
      this.writeWords(device, pasid, encode(PASID_ENTRY, fields));
      return undefined;
    });
  }

  /** `pasid_set_present()`, after a `dma_wmb()`. */
  protected set_present(device: number, pasid: number): Step<undefined> {
    return step(`PASID entry(dev${device}, ${pasid}).P := 1`, () => {
      const [low, high] = this.port.readWord(device, pasid, 0);
      this.port.writeWord(device, pasid, 0, low | 1, high);
      return undefined;
    });
  }

  /**
   * `intel_pasid_tear_down_entry()`: P is cleared, then everything that is cached of the entry goes, each before what may be
   * filled from it. Only then are the other words cleared, which nobody can fetch any more.
   */
  *intel_pasid_tear_down_entry(device: number, pasid: number): Task {
    const tag = yield* this.clear_present(device, pasid);
    yield* this.flush(this.entryTag(device, pasid, tag));
    yield* this.intel_pasid_clear_entry(device, pasid);
  }

  /** Nothing of an entry is left. */
  tearDown(device: number, pasid: number): Task {
    return this.intel_pasid_tear_down_entry(device, pasid);
  }

  /** `pasid_clear_present()`. Returns what the entry was: its domain-id and type. */
  protected clear_present(device: number, pasid: number): Step<number> {
    return step(`PASID entry(dev${device}, ${pasid}).P := 0`, () => {
      const tag = this.tagOf(device, pasid);
      const [low, high] = this.port.readWord(device, pasid, 0);
      this.port.writeWord(device, pasid, 0, low & ~1, high);
      return tag;
    });
  }

  /** What has to be known of an entry to flush it, as a number. Inside a step. */
  protected tagOf(device: number, pasid: number): number {
    const { PGTT: type, DID: did } = PASID_ENTRY.fields;
    const lanes = [0, 1].flatMap((word) => this.port.readWord(device, pasid, word));
    return read(type, lanes) * TYPE_UNIT + read(did, lanes);
  }

  /** … and back. */
  protected entryTag(device: number, pasid: number, tag: number): EntryTag {
    return { device, pasid, did: tag % TYPE_UNIT, type: Math.floor(tag / TYPE_UNIT) };
  }

  /** What is cached of an entry goes: the entry itself, translations, what the device has of these. */
  protected *flush(tag: EntryTag): Task {
    yield* this.pasid_cache_invalidation_with_pasid(tag);
    yield* this.flushIotlb(tag);
    yield* this.devtlb_invalidation_with_pasid(tag);
  }

  protected *pasid_cache_invalidation_with_pasid({ did, pasid }: EntryTag): Task {
    const fields = { Type: DESCRIPTOR_TYPE.PASID_CACHE, G: PASID_CACHE_GRANULARITY.PASID, DID: did, PASID: pasid };
    const lanes = encode(PASID_CACHE_INVALIDATE, fields);
    yield* this.qi_submit_sync(`PASID-cache invalidation(DID ${did}, PASID ${pasid})`, lanes);
  }

  /** By PASID where it is the tag of translations, else by domain. */
  protected *flushIotlb(tag: EntryTag): Task {
    if (tag.type === PGTT.FIRST_STAGE || tag.type === PGTT.PASS_THROUGH) yield* this.qi_flush_piotlb(tag);
    else yield* this.flush_iotlb(tag);
  }

  protected *qi_flush_piotlb({ did, pasid }: EntryTag): Task {
    const fields = { Type: DESCRIPTOR_TYPE.PASID_IOTLB, G: PASID_IOTLB_GRANULARITY.PASID, DID: did, PASID: pasid };
    const lanes = encode(PASID_IOTLB_INVALIDATE, fields);
    yield* this.qi_submit_sync(`IOTLB invalidation(DID ${did}, PASID ${pasid})`, lanes);
  }

  protected *flush_iotlb({ did }: EntryTag): Task {
    const fields = { Type: DESCRIPTOR_TYPE.IOTLB, G: IOTLB_GRANULARITY.DOMAIN, DR: 1, DW: 1, DID: did };
    yield* this.qi_submit_sync(`IOTLB invalidation(DID ${did})`, encode(IOTLB_INVALIDATE, fields));
  }

  protected *devtlb_invalidation_with_pasid({ device, pasid }: EntryTag): Task {
    const SID = this.port.sourceId(device);
    const fields = { Type: DESCRIPTOR_TYPE.PASID_DEVICE_TLB, SID, PASID: pasid, S: 1, Address: EVERY_ADDRESS };
    const lanes = encode(PASID_DEVICE_TLB_INVALIDATE, fields);
    yield* this.qi_submit_sync(`device-TLB invalidation(dev${device}, PASID ${pasid})`, lanes);
  }

  /** The descriptor, and a wait descriptor, whose status is waited for. */
  protected *qi_submit_sync(what: string, lanes: readonly number[]): Task {
    const wait = yield* this.submit(what, lanes);
    yield* step('wait descriptor done', () => {
      this.port.completed(wait);
      return undefined;
    });
  }

  protected submit(what: string, lanes: readonly number[]): Step<number> {
    return step(what, () => {
      this.kernel.machine.mightSleep('qi_submit_sync');
      return this.port.submit(lanes);
    });
  }

  /** `intel_pasid_clear_entry()`. */
  protected intel_pasid_clear_entry(device: number, pasid: number): Step<undefined> {
    return step(`PASID entry(dev${device}, ${pasid}) := 0`, () => {
      this.writeWords(device, pasid, encode(PASID_ENTRY, {}));
      return undefined;
    });
  }

  /** Word by word, the first one first. Inside a step. */
  protected writeWords(device: number, pasid: number, lanes: readonly number[]): void {
    for (let word = 0; word < PASID_ENTRY.words; word++)
      this.port.writeWord(device, pasid, word, lanes[2 * word] as number, lanes[2 * word + 1] as number);
  }
}
