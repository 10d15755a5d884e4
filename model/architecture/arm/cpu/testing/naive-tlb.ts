import type { TlbMaintenance } from '../maintenance.ts';
import type { Descriptor } from './world.ts';

/**
 * One CPU's TLB without any cleverness, to compare `CpuTlb` with: all states that hardware may be in are listed, and each
 * choice of hardware (to read one descriptor, to let one TLBI take effect) leads to a state of its own. Tables have two
 * levels of a 4 KiB granule: walks start at level 2.
 */
export class NaiveTlb {
  #states = new Map<string, State>([['', { held: new Map(), pending: [] }]]);
  #host: { readonly table: number; readonly asid: number } | undefined;
  #guest: { readonly table: number; readonly vmid: number } | undefined;
  readonly #memory: ReadonlyMap<number, Descriptor>;
  readonly #pages: readonly number[];
  readonly #eager: boolean;

  /**
   * @param memory what tables say; it may change between calls.
   * @param pages pages of 4 KiB that processes and guests use.
   * @param eager reads are made as soon as they can be made. To have read more is never in the way of anything, so that
   *   nothing is lost; without it, to read or not to read is a choice too.
   */
  constructor(memory: ReadonlyMap<number, Descriptor>, pages: readonly number[], eager: boolean) {
    this.#memory = memory;
    this.#pages = pages;
    this.#eager = eager;
  }

  load(host: { readonly table: number; readonly asid: number } | undefined): void {
    this.#host = host;
    this.#explore();
  }

  loadGuest(guest: { readonly table: number; readonly vmid: number } | undefined): void {
    this.#guest = guest;
    this.#explore();
  }

  /** Memory has changed. */
  written(): void {
    this.#explore();
  }

  tlbi(id: number, maintenance: TlbMaintenance): void {
    this.#map(({ held, pending }) => ({ held, pending: [...pending, { id, maintenance }] }));
    this.#explore();
  }

  /** TLBIs have completed: only states in which they have taken effect are left. */
  complete(ids: readonly number[]): void {
    for (const [key, { pending }] of this.#states)
      if (pending.some(({ id }) => ids.includes(id))) this.#states.delete(key);
    this.#explore();
  }

  /** Physical addresses that accesses to a page may reach. */
  outcomes(page: number): Set<number> {
    const found = new Set<number>();
    for (const entry of this.#entries())
      if (entry.kind === 'leaf' && entry.stage === 1 && entry.vmid === 0 && contains(entry, page))
        if (entry.asid === -1 ? this.#host !== undefined : entry.asid === this.#host?.asid) found.add(at(entry, page));
    return found;
  }

  guestOutcomes(page: number): Set<number> {
    const found = new Set<number>();
    for (const entry of this.#entries())
      if (entry.kind === 'combined' && entry.vmid === this.#guest?.vmid && entry.page === page) found.add(entry.target);
    return found;
  }

  tableHeld(table: number): boolean {
    if (this.#host?.table === table || this.#guest?.table === table) return true;
    return this.#entries().some(({ kind, target }) => kind === 'table' && target === table);
  }

  asidInUse(asid: number): boolean {
    return this.#host?.asid === asid || this.#entries().some((entry) => entry.stage === 1 && entry.asid === asid);
  }

  vmidInUse(vmid: number): boolean {
    return this.#guest?.vmid === vmid || this.#entries().some((entry) => entry.vmid === vmid);
  }

  #entries(): Entry[] {
    return [...this.#states.values()].flatMap(({ held }) => [...held.values()]);
  }

  #map(change: (state: State) => State): void {
    const states = [...this.#states.values()].map(change);
    this.#states = new Map(states.map((state) => [keyOf(state), state]));
  }

  /** Adds the states that hardware can come to by itself. */
  #explore(): void {
    const queue = [...this.#states.values()];
    this.#states = new Map();
    for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
      if (this.#eager) state = this.#readAll(state);
      const key = keyOf(state);
      if (this.#states.has(key)) continue;
      this.#states.set(key, state);
      const { held, pending } = state;
      for (const tlbi of pending)
        queue.push({
          held: new Map([...held].filter(([, entry]) => !covers(tlbi.maintenance, entry))),
          pending: pending.filter((other) => other !== tlbi),
        });
      if (this.#eager) continue;
      for (const entry of this.#reads(held)) queue.push({ held: new Map([...held, [nameOf(entry), entry]]), pending });
    }
  }

  #readAll({ held, pending }: State): State {
    const all = new Map(held);
    for (let size = -1; size !== all.size;) {
      size = all.size;
      for (const entry of this.#reads(all)) all.set(nameOf(entry), entry);
    }
    return { held: all, pending };
  }

  /** What can be made of what is loaded and held. */
  *#reads(held: ReadonlyMap<string, Entry>): Generator<Entry> {
    for (const page of this.#pages) {
      const root = Math.floor(page / 512);
      if (this.#host !== undefined) {
        const { table, asid } = this.#host;
        yield* this.#read({ stage: 1, vmid: 0, asid, table, level: 2 }, root * 512, table + 8 * root);
      }
      if (this.#guest !== undefined) {
        const { table, vmid } = this.#guest;
        yield* this.#read({ stage: 2, vmid, asid: -1, table, level: 2 }, root * 512, table + 8 * root);
      }
      for (const entry of held.values()) {
        const { kind, stage, vmid, asid, target: table } = entry;
        const inContext = stage === 1 ? asid === this.#host?.asid : vmid === this.#guest?.vmid;
        if (!contains(entry, page)) continue;
        if (kind === 'table' && inContext)
          yield* this.#read({ stage, vmid, asid, table, level: 3 }, page, table + 8 * (page % 512));
        if (kind === 'leaf' && stage === 2 && inContext)
          yield { ...entry, kind: 'combined', page, pages: 1, from: nameOf(entry), target: at(entry, page) };
      }
    }
  }

  *#read(through: Through, page: number, pa: number): Generator<Entry> {
    const descriptor = this.#memory.get(pa);
    if (descriptor === undefined || descriptor.kind === 'none') return;
    const { level, stage, vmid, asid } = through;
    const range = { page, pages: level === 2 ? 512 : 1, from: `${pa}`, stage, vmid };
    if (level === 2 && descriptor.kind === 'table') yield { kind: 'table', ...range, asid, target: descriptor.table };
    if ((level === 2 && descriptor.kind === 'block') || (level === 3 && descriptor.kind === 'page'))
      yield { kind: 'leaf', ...range, asid: descriptor.global === true ? -1 : asid, target: descriptor.pa };
  }
}

/** One thing held. */
interface Entry {
  readonly kind: 'table' | 'leaf' | 'combined';
  readonly stage: 1 | 2;
  readonly vmid: number;
  readonly asid: number;
  readonly page: number;
  readonly pages: number;
  /** What it was read from. */
  readonly from: string;
  /** Where it leads. */
  readonly target: number;
}

/** What hardware may have come to. */
interface State {
  readonly held: ReadonlyMap<string, Entry>;
  readonly pending: readonly { readonly id: number; readonly maintenance: TlbMaintenance }[];
}

interface Through {
  readonly stage: 1 | 2;
  readonly vmid: number;
  readonly asid: number;
  readonly table: number;
  readonly level: number;
}

function nameOf({ kind, stage, vmid, asid, page, pages, from, target }: Entry): string {
  return `${kind}${stage} ${vmid}.${asid} ${page}+${pages} ${from}>${target}`;
}

function keyOf({ held, pending }: State): string {
  return `${[...held.keys()].sort().join()};${pending.map(({ id }) => id).join()}`;
}

function contains({ page, pages }: { readonly page: number; readonly pages: number }, which: number): boolean {
  return which >= page && which < page + pages;
}

function at({ page, target }: Entry, which: number): number {
  return target + (which - page) * 4096;
}

/** Arm ARM D8.17.5.4, instruction by instruction. */
function covers(maintenance: TlbMaintenance, entry: Entry): boolean {
  const { kind, stage, vmid, asid } = entry;
  const last = kind !== 'table';
  const ofStageOne = kind === 'combined' || stage === 1;
  switch (maintenance.kind) {
    case 'ALLE1':
      return true;
    case 'VMALLS12E1':
      return vmid === maintenance.vmid;
    case 'VMALLE1':
      return ofStageOne && vmid === (maintenance.vmid ?? 0);
    case 'ASIDE1':
      return ofStageOne && vmid === (maintenance.vmid ?? 0) && asid === maintenance.asid;
    case 'VAE1':
    case 'VALE1':
      if (!ofStageOne || vmid !== (maintenance.vmid ?? 0)) return false;
      if (!contains(entry, maintenance.va / 4096) || (maintenance.kind === 'VALE1' && !last)) return false;
      return asid === maintenance.asid || (asid === -1 && last);
    case 'VAAE1':
    case 'VAALE1':
      if (!ofStageOne || vmid !== (maintenance.vmid ?? 0)) return false;
      return contains(entry, maintenance.va / 4096) && (maintenance.kind === 'VAAE1' || last);
    case 'IPAS2E1':
    case 'IPAS2LE1':
      if (kind === 'combined' || stage === 1 || vmid !== maintenance.vmid) return false;
      return contains(entry, maintenance.ipa / 4096) && (maintenance.kind === 'IPAS2E1' || last);
  }
}
