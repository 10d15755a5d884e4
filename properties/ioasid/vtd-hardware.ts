import type { Store } from '../../engine/store.ts';
import type { PasidPort, VtdDomain, VtdPort } from '../../impl/kernel/ioasid/index.ts';
import type { PasidUse } from '../../model/contract/pasid.ts';
import type { PhysicalMemory } from '../../model/architecture/arm/memory.ts';
import {
  DESCRIPTOR_TYPE,
  encode,
  PASID_DIRECTORY_ENTRY,
  PASID_ENTRY,
  PASID_ENTRY_BYTES,
  PGTT,
  WAIT,
} from '../../model/architecture/vtd/layout/index.ts';
import { Vtd } from '../../model/architecture/vtd/vtd.ts';
import type { IoasidConfiguration } from './configuration.ts';

/** Byte addresses of the PASID directory of device 0, of its table, and of the tables of owner 0. */
const AT = { directory: 0x1000, table: 0x10_000, firstStage: 0x100_000, secondStage: 0x200_000 } as const;
const PAGE_BYTES = 0x1000;
/** `FLPT_DEFAULT_DID`: of all entries with a first stage alone. */
const FIRST_STAGE_DID = 1;
/** Of the domain of owner 0, for nested entries. */
const DOMAIN_DID = 2;

/** PASID directories, which never change, and PASID tables, of which each lane is a cell. */
class PasidTables implements PhysicalMemory {
  readonly #store: Store;
  readonly #devices: number;
  readonly #entries: number;
  readonly #base: number;

  constructor(store: Store, { devices, pasids }: IoasidConfiguration) {
    this.#store = store;
    this.#devices = devices;
    this.#entries = pasids + 1;
    const lanes = 2 * PASID_ENTRY.words;
    this.#base = store.reserve(devices * this.#entries * lanes, 'PASID table', (at, value) => {
      const entry = Math.floor(at / lanes);
      const place = `dev${Math.floor(entry / this.#entries)}, PASID ${entry % this.#entries}`;
      return `${place}, lane ${at % lanes} 0x${(value >>> 0).toString(16)}`;
    });
  }

  low(pa: number): number {
    return this.#lane(pa, 0);
  }

  high(pa: number): number {
    return this.#lane(pa, 1);
  }

  present(pa: number): boolean {
    return this.#isDirectory(pa) || this.#cell(pa) >= 0;
  }

  write(pa: number, low: number, high: number): void {
    const cell = this.#cell(pa);
    this.#store.set(cell, low);
    this.#store.set(cell + 1, high);
  }

  #lane(pa: number, lane: 0 | 1): number {
    if (!this.#isDirectory(pa)) return this.#store.get(this.#cell(pa) + lane);
    const SMPTBLPTR = AT.table + (pa - AT.directory);
    return encode(PASID_DIRECTORY_ENTRY, { P: 1, SMPTBLPTR })[lane] as number;
  }

  #isDirectory(pa: number): boolean {
    return pa < AT.table;
  }

  /** Cell of the low lane of a word of a table; -1: there is none. */
  #cell(pa: number): number {
    const device = Math.floor((pa - AT.table) / PAGE_BYTES);
    const offset = (pa - AT.table) % PAGE_BYTES;
    const entry = Math.floor(offset / PASID_ENTRY_BYTES);
    if (device < 0 || device >= this.#devices || entry >= this.#entries) return -1;
    return this.#base + ((device * this.#entries * PASID_ENTRY_BYTES + offset) / 8) * 2;
  }
}

/** PASID tables of VT-d, its invalidation queue, and all that it may hold of entries. */
export class VtdEntries implements PasidPort, PasidUse {
  readonly vtd: VtdPort;
  readonly #model: Vtd;
  readonly #owners: number;

  constructor(store: Store, configuration: IoasidConfiguration) {
    const { devices, pasids, owners, table } = configuration;
    this.#owners = owners;
    const nested = table === 'vtd-nested';
    const domains = Array.from({ length: owners }, (_, owner): VtdDomain => ({
      did: nested ? DOMAIN_DID + owner : FIRST_STAGE_DID,
      type: nested ? PGTT.NESTED : PGTT.FIRST_STAGE,
      firstStage: AT.firstStage + PAGE_BYTES * owner,
      secondStage: AT.secondStage + PAGE_BYTES * owner,
    }));
    const memory = new PasidTables(store, configuration);
    this.#model = new Vtd(store, memory, {
      devices: Array.from({ length: devices }, (_, device) => ({
        sourceId: sourceIdOf(device),
        directory: AT.directory + PAGE_BYTES * device,
        ats: true,
      })),
      pasids: Array.from({ length: pasids }, (_, index) => index + 1),
      dids: [...new Set(domains.map(({ did }) => did))],
      spaces: domains.map((domain, owner) => ({ ...domain, name: `VM${owner}` })),
      pages: [0],
    });
    this.vtd = this.#port(memory, domains);
  }

  #port(memory: PasidTables, domains: readonly VtdDomain[]): VtdPort {
    const model = this.#model;
    const wait = encode(WAIT, { Type: DESCRIPTOR_TYPE.WAIT, SW: 1 });
    const addressOf = (device: number, pasid: number, word: number): number =>
      AT.table + PAGE_BYTES * device + PASID_ENTRY_BYTES * pasid + 8 * word;
    return {
      readWord: (...place) => [memory.low(addressOf(...place)), memory.high(addressOf(...place))],
      writeWord: (device, pasid, word, low, high) => {
        const pa = addressOf(device, pasid, word);
        memory.write(pa, low, high);
        model.memoryWritten(pa);
      },
      submit: (lanes) => {
        model.submit(lanes);
        return model.submit(wait);
      },
      completed: (number) => model.completed(number),
      sourceId: sourceIdOf,
      domain: (owner) => {
        const domain = domains[owner];
        if (domain === undefined) throw new RangeError(`there is no VM${owner}`);
        return domain;
      },
    };
  }

  writeEntry(): void {
    throw new Error('entries of VT-d are written word by word');
  }

  flush(): void {
    throw new Error('VT-d is flushed by descriptors');
  }

  entry(device: number, pasid: number): number {
    return this.#model.entry(device, pasid - 1);
  }

  cached(device: number, pasid: number): number {
    const { pasidCache, iotlb, deviceTlb } = this.#model.reach(device, pasid - 1);
    return (pasidCache | iotlb | deviceTlb) & ((1 << this.#owners) - 1);
  }

  holders(device: number, pasid: number, owner: number): string {
    const { pasidCache, iotlb, deviceTlb } = this.#model.reach(device, pasid - 1);
    const caches = [
      ['the PASID-cache', pasidCache],
      ['the IOTLB', iotlb],
      ['the device-TLB', deviceTlb],
    ] as const;
    const names = caches.filter(([, spaces]) => (spaces & (1 << owner)) !== 0).map(([name]) => name);
    return `in ${names.join(' and ')}`;
  }

  torn(device: number, pasid: number): boolean {
    return this.#model.torn(device, pasid - 1);
  }
}

function sourceIdOf(device: number): number {
  return 8 * (device + 1);
}
