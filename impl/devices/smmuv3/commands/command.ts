import {
  CFGI_RANGE_ALL,
  COMMAND,
  COMMAND_ATC_INV,
  COMMAND_CFGI,
  COMMAND_CFGI_STE_RANGE,
  COMMAND_PRI_RESP,
  COMMAND_RESUME,
  COMMAND_STALL_TERM,
  COMMAND_SYNC,
  COMMAND_TLBI,
  OPCODE,
} from '../../../../model/architecture/arm/layout/command.ts';
import { read, type Lanes } from '../../../../model/architecture/arm/layout/layout.ts';
import { WORLD, type AddressRange } from '../caches/index.ts';
import type { DeviceParts } from '../parts.ts';
import type { Invalidations } from './invalidations.ts';

/** What commands about stalled transactions do. */
export interface Stalls {
  /** CMD_RESUME (IHI 0070 §4.7.1). */
  resume(streamId: number, stag: number, retry: boolean, abort: boolean): void;
  /** CMD_STALL_TERM (§4.7.2). */
  terminate(streamId: number): void;
}

const t = COMMAND_TLBI.fields;
const c = COMMAND_CFGI.fields;

/** Decodes and carries out the commands of the Non-secure queue (§4). */
export class CommandProcessor {
  protected readonly parts: DeviceParts;
  protected readonly invalidations: Invalidations;
  protected readonly stalls: Stalls;

  constructor(parts: DeviceParts, invalidations: Invalidations, stalls: Stalls) {
    this.parts = parts;
    this.invalidations = invalidations;
    this.stalls = stalls;
  }

  /** @returns false if the command is illegal (CERROR_ILL). */
  execute(lanes: Lanes): boolean {
    // A Non-secure queue must not say Secure, whatever the command (§4.1.6).
    if (read(COMMAND.fields.SSec, lanes) === 1) return false;
    const opcode = read(COMMAND.fields.Opcode, lanes);
    if (opcode >= OPCODE.CFGI_STE && opcode <= OPCODE.CFGI_CD_ALL) return this.#configuration(opcode, lanes);
    if (opcode >= OPCODE.TLBI_NH_ALL && opcode <= OPCODE.TLBI_NSNH_ALL) return this.#tlb(opcode, lanes);
    return this.#other(opcode, lanes);
  }

  #other(opcode: number, lanes: Lanes): boolean {
    const { features, registers } = this.parts;
    switch (opcode) {
      case OPCODE.PREFETCH_CONFIG:
      case OPCODE.PREFETCH_ADDR:
        // A hint that this device does not take (§4.2).
        return true;
      case OPCODE.ATC_INV:
        if (!features.ats || read(COMMAND_ATC_INV.fields.Size, lanes) > 52) return false;
        if (registers.enabled) this.#atcInvalidate(lanes);
        return true;
      case OPCODE.PRI_RESP:
        return features.pri && read(COMMAND_PRI_RESP.fields.Resp, lanes) !== 3;
      case OPCODE.RESUME: {
        if (features.stallModel === 1) return false;
        const { StreamID, STAG, Ac, Ab } = COMMAND_RESUME.fields;
        this.stalls.resume(read(StreamID, lanes), read(STAG, lanes), read(Ac, lanes) === 1, read(Ab, lanes) === 1);
        return true;
      }
      case OPCODE.STALL_TERM:
        if (features.stallModel === 1) return false;
        this.stalls.terminate(read(COMMAND_STALL_TERM.fields.StreamID, lanes));
        return true;
      case OPCODE.SYNC:
        // Everything before it is complete already. Neither MSIs nor events to PEs are implemented (IDR0.MSI, SEV = 0).
        return read(COMMAND_SYNC.fields.CS, lanes) !== 3;
      default:
        return false;
    }
  }

  #atcInvalidate(lanes: Lanes): void {
    const f = COMMAND_ATC_INV.fields;
    const substream = read(f.SSV, lanes) === 1 ? read(f.SubstreamID, lanes) : -1;
    const page = read(f.Address, lanes) / 4096;
    const global = read(f.Global, lanes) === 1;
    this.invalidations.atc(read(f.StreamID, lanes), substream, global, page, read(f.Size, lanes));
  }

  #configuration(opcode: number, lanes: Lanes): boolean {
    const { features } = this.parts;
    const streamId = read(c.StreamID, lanes);
    const leaf = read(c.Leaf, lanes) === 1;
    // Out of range parameters need not have an effect (§4.1.7).
    const inRange = streamId < 2 ** features.sidSize;
    switch (opcode) {
      case OPCODE.CFGI_STE:
        if (inRange) this.invalidations.ste(streamId, leaf);
        return true;
      case OPCODE.CFGI_STE_RANGE: {
        const range = read(COMMAND_CFGI_STE_RANGE.fields.Range, lanes);
        if (inRange || range === CFGI_RANGE_ALL) this.invalidations.steRange(streamId, range);
        return true;
      }
      case OPCODE.CFGI_CD: {
        if (!features.stage1) return false;
        const substream = read(c.SubstreamID, lanes);
        if (inRange && substream < 2 ** features.ssidSize) this.invalidations.cd(streamId, substream, leaf);
        return true;
      }
      default:
        if (!features.stage1) return false;
        if (inRange) this.invalidations.cdAll(streamId);
        return true;
    }
  }

  #tlb(opcode: number, lanes: Lanes): boolean {
    const { features, registers } = this.parts;
    if (opcode <= OPCODE.TLBI_NH_VAA) return features.stage1 && this.#stageOne(opcode, lanes);
    const el2World = registers.e2h ? WORLD.NS_EL2_E2H : WORLD.NS_EL2;
    switch (opcode) {
      case OPCODE.TLBI_EL2_ALL:
        if (features.hyp) this.invalidations.el2All();
        return features.hyp;
      case OPCODE.TLBI_EL2_ASID:
        if (features.hyp) this.invalidations.asid(WORLD.NS_EL2_E2H, 0, read(t.ASID, lanes));
        return features.hyp;
      case OPCODE.TLBI_EL2_VA:
        return features.hyp && this.#byAddress(lanes, el2World, registers.e2h ? read(t.ASID, lanes) : -1);
      case OPCODE.TLBI_EL2_VAA:
        return features.hyp && this.#byAddress(lanes, el2World, -1);
      case OPCODE.TLBI_S12_VMALL:
        if (features.stage2 && this.#vmidFits(lanes)) this.invalidations.vmAll(this.#vmid(lanes));
        return features.stage2;
      case OPCODE.TLBI_S2_IPA:
        return features.stage2 && this.#byIpa(lanes);
      case OPCODE.TLBI_NSNH_ALL:
        this.invalidations.all();
        return true;
      default:
        return false;
    }
  }

  #stageOne(opcode: number, lanes: Lanes): boolean {
    switch (opcode) {
      case OPCODE.TLBI_NH_ALL:
        if (this.#vmidFits(lanes)) this.invalidations.stageOneAll(this.#vmid(lanes));
        return true;
      case OPCODE.TLBI_NH_ASID:
        if (this.#vmidFits(lanes)) this.invalidations.asid(WORLD.NS_EL1, this.#vmid(lanes), read(t.ASID, lanes));
        return true;
      case OPCODE.TLBI_NH_VA:
        return this.#byAddress(lanes, WORLD.NS_EL1, read(t.ASID, lanes));
      case OPCODE.TLBI_NH_VAA:
        return this.#byAddress(lanes, WORLD.NS_EL1, -1);
      default:
        return false;
    }
  }

  /** @param asid -1 for all. */
  #byAddress(lanes: Lanes, world: number, asid: number): boolean {
    const range = this.rangeOf(lanes);
    if (range === undefined) return false;
    if (world === WORLD.NS_EL1 && !this.#vmidFits(lanes)) return true;
    const vmid = world === WORLD.NS_EL1 ? this.#vmid(lanes) : 0;
    if (asid < 0) this.invalidations.vaAllAsids(world, vmid, range);
    else this.invalidations.va(world, vmid, asid, range);
    return true;
  }

  #byIpa(lanes: Lanes): boolean {
    const range = this.rangeOf(lanes);
    if (range === undefined) return false;
    if (this.#vmidFits(lanes)) this.invalidations.ipa(this.#vmid(lanes), range);
    return true;
  }

  /** What an invalidation by address covers (§4.4.1.1); undefined if its parameters are reserved. */
  protected rangeOf(lanes: Lanes): AddressRange | undefined {
    const firstPage = read(t.Address, lanes) / 4096;
    const leaf = read(t.Leaf, lanes) === 1;
    const tg = this.parts.features.ril ? read(t.TG, lanes) : 0;
    if (tg === 0) return { firstPage, pages: 1, leaf, granule: 0, level: 0 };
    const granule = 10 + 2 * tg;
    // A leaf at level 1 of a 16 KiB table needs 52-bit descriptors: the hint is then no hint.
    const hint = read(t.TTL, lanes);
    const level = granule === 14 && hint === 1 ? 0 : hint;
    const num = read(t.Num, lanes);
    // Without 52-bit descriptors SCALE has five bits.
    const scale = read(t.Scale, lanes) % 32;
    if (num === 0 && scale === 0 && level === 0) return undefined;
    const pages = (num + 1) * 2 ** scale * 2 ** (granule - 12);
    return { firstPage, pages: Math.min(pages, 2 ** 52 - firstPage), leaf, granule, level };
  }

  /** Without stage 2 nothing is tagged with a VMID, and the parameter is RES0 (§4.4.2). */
  #vmid(lanes: Lanes): number {
    return this.parts.features.stage2 ? read(t.VMID, lanes) : 0;
  }

  /** With 8-bit VMIDs a command whose upper bits are set need not have an effect (§4.4). */
  #vmidFits(lanes: Lanes): boolean {
    return this.parts.features.vmid16 || this.#vmid(lanes) <= 0xff;
  }
}
