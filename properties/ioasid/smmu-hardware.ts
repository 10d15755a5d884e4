import type { Store } from '../../engine/store.ts';
import type { CdPort, PasidPort } from '../../impl/kernel/ioasid/index.ts';
import { FRAME_BYTES, PhysicalMemory } from '../../impl/platform/index.ts';
import { CD, encode, extract, REGISTER, STAGE1_LEAF, STE } from '../../model/architecture/arm/layout/index.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { PasidUse } from '../../model/contract/pasid.ts';
import type { IoasidConfiguration } from './configuration.ts';

const FEATURES: SmmuFeatures = { ...FULL_FEATURES, ats: true, stage2: false };
/** The table of each owner, and the queue and the tables of the SMMU, in frames from `BASE`. */
const BASE = 0x8000_0000;
const FRAME = { streamTable: 0, queue: 1, cds: 2, tables: 4 } as const;
const FRAMES = 6;
const QUEUE_LOG2 = 4;
/** Each owner has one block of 2 MiB, which its table maps at 0. */
const BLOCK_BYTES = 0x20_0000;
const OWNED = 0x4000_0000;
/** STE: stage 1 only; CR0: SMMUEN, CMDQEN, ATSCHK. */
const STAGE_1 = 5;
const FULL_ATS = 1;
const ENABLED = 1 | (1 << 3) | (1 << 4);
const ATSCHK_OFF = 1 << 3;

function frame(number: number): number {
  return BASE + FRAME_BYTES * number;
}

/**
 * PASIDs as substreams of the project's SMMUv3: each device has a table of context descriptors by PASID. Each request has
 * two slots, one for what the SMMU makes of it, one for a device with ATS.
 */
export class SmmuEntries implements PasidPort, PasidUse {
  readonly cds: CdPort;
  readonly #store: Store;
  readonly #memory: PhysicalMemory;
  readonly #smmu: SmmuV3;
  readonly #configuration: IoasidConfiguration;
  /** CMDQ_PROD, with its wrap bit. */
  readonly #prod: number;

  constructor(store: Store, configuration: IoasidConfiguration) {
    const { devices, pasids, owners } = configuration;
    this.#store = store;
    this.#configuration = configuration;
    this.#memory = new PhysicalMemory(store, [{ base: BASE, frames: FRAMES }]);
    this.#prod = store.reserve(1, 'CMDQ_PROD');
    for (let owner = 0; owner < owners; owner++) this.#makeTable(owner);
    const slots = Array.from({ length: devices * pasids }, (_, at) => {
      const slot = { streamId: streamIdOf(Math.floor(at / pasids)), substream: 1 + (at % pasids), va: 0 };
      return [slot, { ...slot, ats: true as const }];
    }).flat();
    this.#smmu = new SmmuV3(store, this.#memory, FEATURES, { slots }, { entries: 1 << 10, commands: 1 << 6 });
    this.#memory.onWrite((pa) => this.#smmu.memoryWritten(pa));
    this.#enable();
    this.cds = this.#port();
  }

  #makeTable(owner: number): void {
    const leaf = encode(STAGE1_LEAF, { Valid: 1, AF: 1, nG: 1, AP: 1, Address: OWNED + BLOCK_BYTES * owner });
    this.#memory.writeWords(this.#tableOf(owner), leaf);
  }

  #enable(): void {
    const smmu = this.#smmu;
    for (let device = 0; device < this.#configuration.devices; device++) {
      const S1ContextPtr = frame(FRAME.cds + device);
      const ste = encode(STE, { V: 1, Config: STAGE_1, S1ContextPtr, S1CDMax: 3, S1DSS: 0, EATS: FULL_ATS });
      this.#memory.writeWords(frame(FRAME.streamTable) + 64 * streamIdOf(device), ste);
    }
    smmu.writeRegister(REGISTER.STRTAB_BASE, frame(FRAME.streamTable) | 0, 0);
    smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 2);
    smmu.writeRegister(REGISTER.CMDQ_BASE, frame(FRAME.queue) | QUEUE_LOG2, 0);
    smmu.writeRegister(REGISTER.CR2, 2);
    smmu.writeRegister(REGISTER.CR0, ATSCHK_OFF);
    smmu.writeRegister(REGISTER.CR0, ENABLED);
  }

  #port(): CdPort {
    return {
      writeCd: (device, pasid, word, low, high) =>
        this.#memory.writeWord(this.#cdOf(device, pasid) + 8 * word, low, high),
      issue: (commands) => this.#issue(commands),
      completed: (end) => this.#smmu.completeCommands(end),
      streamId: streamIdOf,
      table: (owner) => this.#tableOf(owner),
    };
  }

  #issue(commands: readonly (readonly number[])[]): number {
    const before = this.#store.get(this.#prod);
    for (const [at, lanes] of commands.entries())
      this.#memory.writeWords(frame(FRAME.queue) + 16 * ((before + at) % 2 ** QUEUE_LOG2), lanes);
    const prod = (before + commands.length) % 2 ** (QUEUE_LOG2 + 1);
    this.#store.set(this.#prod, prod);
    this.#smmu.writeRegister(REGISTER.CMDQ_PROD, prod);
    return prod;
  }

  writeEntry(): void {
    throw new Error('context descriptors are written word by word');
  }

  flush(): void {
    throw new Error('an SMMU is flushed by commands');
  }

  entry(device: number, pasid: number): number {
    const cd = this.#cdOf(device, pasid);
    const { V, TTB0 } = CD.fields;
    if (extract(V, this.#memory.low(cd), this.#memory.high(cd)) === 0) return -1;
    const table = extract(TTB0, this.#memory.low(cd + 8), this.#memory.high(cd + 8));
    return Array.from({ length: this.#configuration.owners }, (_, owner) => owner).findIndex(
      (owner) => this.#tableOf(owner) === table,
    );
  }

  cached(device: number, pasid: number): number {
    const { smmu, atc } = this.#reach(device, pasid);
    return smmu | atc | this.#tagged(pasid);
  }

  holders(device: number, pasid: number, owner: number): string {
    const { smmu, atc } = this.#reach(device, pasid);
    const caches = [
      ["the SMMU's caches", smmu],
      ['the ATC', atc],
      [`the TLB under ASID ${pasid}`, this.#tagged(pasid)],
    ] as const;
    const names = caches.filter(([, owners]) => (owners & (1 << owner)) !== 0).map(([name]) => name);
    return `in ${names.join(' and ')}`;
  }

  /** Owners to whose memory requests may go: translated by the SMMU, and by the device itself. */
  #reach(device: number, pasid: number): { readonly smmu: number; readonly atc: number } {
    const slot = 2 * (device * this.#configuration.pasids + pasid - 1);
    let [smmu, atc] = [0, 0];
    for (const outcome of this.#smmu.outcomes(slot)) if (outcome.kind === 'translation') smmu |= ownerBit(outcome.pa);
    for (const outcome of this.#smmu.outcomes(slot + 1))
      if (outcome.kind === 'translated' && outcome.pa >= 0) atc |= ownerBit(outcome.pa);
    return { smmu, atc };
  }

  /**
   * Owners of whom something is in the TLB under the ASID of a number by which no device is bound: whoever is bound by it next
   * may hit that. While one is bound, it brings its owner's translations again.
   */
  #tagged(pasid: number): number {
    const { devices } = this.#configuration;
    if (Array.from({ length: devices }, (_, device) => this.entry(device, pasid)).some((owner) => owner >= 0)) return 0;
    return this.#smmu
      .heldTranslations()
      .filter(({ kind, asid }) => kind === 'translation' && asid === pasid)
      .reduce((owners, { readFrom }) => owners | (1 << Math.floor((readFrom - frame(FRAME.tables)) / FRAME_BYTES)), 0);
  }

  #cdOf(device: number, pasid: number): number {
    return frame(FRAME.cds + device) + 64 * pasid;
  }

  #tableOf(owner: number): number {
    return frame(FRAME.tables + owner);
  }
}

function ownerBit(pa: number): number {
  return 1 << Math.floor((pa - OWNED) / BLOCK_BYTES);
}

function streamIdOf(device: number): number {
  return device + 1;
}
