import type { GuestContext } from '../guest-tlb.ts';
import type { TlbMaintenance } from '../maintenance.ts';
import type { Descriptor } from './world.ts';

/**
 * One CPU's TLB without any cleverness, to compare `CpuTlb` with: all states that hardware may be in are listed, and each
 * choice of hardware (to read one descriptor, to let one TLBI take effect) leads to a state of its own. Tables have two
 * levels of a 4 KiB granule: walks start at level 2, in each stage.
 */
export class NaiveTlb {
  #states = new Map<string, State>([['', { held: new Map(), pending: [] }]]);
  #host: { readonly table: number; readonly asid: number } | undefined;
  #guest: GuestContext | undefined;
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

  loadGuest(guest: GuestContext | undefined): void {
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
    const kind = this.#guest?.process === undefined ? 'off' : 'both';
    const asid = this.#guest?.process?.asid;
    for (const entry of this.#entries())
      if (entry.kind === kind && entry.vmid === this.#guest?.vmid && entry.serves === page)
        if (entry.asid === -1 || entry.asid === asid) found.add(entry.target);
    return found;
  }

  tableHeld(table: number): boolean {
    if (this.#host?.table === table || this.#guest?.table === table) return true;
    return this.#entries().some(
      (entry) =>
        (entry.kind === 'table' && entry.target === table) ||
        (entry.kind === 'fetch' && entry.target - (entry.target % 4096) === table && this.#isReachable(entry)),
    );
  }

  asidInUse(asid: number): boolean {
    return this.#host?.asid === asid || this.#entries().some((entry) => entry.vmid === 0 && entry.asid === asid);
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
      if (this.#host !== undefined) {
        const { table, asid } = this.#host;
        yield* this.#walk({ stage: 1, vmid: 0, asid, table, level: 2 }, page);
      }
      if (this.#guest !== undefined) {
        const { table, vmid } = this.#guest;
        yield* this.#walk({ stage: 2, vmid, asid: -1, table, level: 2 }, page);
      }
      for (const entry of held.values()) {
        const { kind, stage, vmid, asid, target: table } = entry;
        const inContext = stage === 1 ? vmid === 0 && asid === this.#host?.asid : vmid === this.#guest?.vmid;
        if (!contains(entry, page) || !inContext) continue;
        if (kind === 'table') yield* this.#walk({ stage, vmid, asid, table, level: 3 }, page);
        if (kind === 'leaf' && stage === 2 && this.#guest?.process === undefined)
          yield { ...entry, kind: 'off', page, pages: 1, from: nameOf(entry), target: at(entry, page), serves: page };
      }
      yield* this.#processReads(held, page);
    }
  }

  /** What a guest's process makes: its descriptors and its leaves go through stage 2. */
  *#processReads(held: ReadonlyMap<string, Entry>, page: number): Generator<Entry> {
    const { process, vmid = -1 } = this.#guest ?? {};
    if (process === undefined) return;
    const { table, asid } = process;
    const stageTwo = [...held.values()].filter((e) => e.kind === 'leaf' && e.stage === 2 && e.vmid === vmid);
    const root = { page: 0, pages: 2 ** 13, from: 'TTBR0', stage: 1, vmid, asid, level: 2, serves: table } as const;
    const tables = [...held.values()].filter((e) => e.kind === 'ipaTable' && e.vmid === vmid && e.asid === asid);
    const nodes = [
      { ...root, ipa: table + 8 * Math.floor(page / 512) },
      ...tables
        .filter((entry) => contains(entry, page))
        .map((entry) => ({ ...entry, level: 3, serves: undefined, ipa: entry.target + 8 * (page % 512) })),
    ];
    for (const { ipa, level: _level, serves, ...node } of nodes)
      for (const second of stageTwo)
        if (contains(second, Math.floor(ipa / 4096))) {
          const target = second.target + (ipa - second.page * 4096);
          const from = `${node.from}/${ipa}/${nameOf(second)}`;
          yield { ...node, kind: 'fetch', from, target, ...(serves === undefined ? {} : { serves }) };
        }
    for (const fetch of held.values())
      if (fetch.kind === 'fetch' && fetch.vmid === vmid && fetch.asid === asid && contains(fetch, page)) {
        const level = fetch.pages === 512 ? 3 : 2;
        const index = level === 2 ? Math.floor(page / 512) : page % 512;
        if (this.#isReachable(fetch) && (fetch.target % 4096) / 8 === index)
          yield* this.#read({ stage: 1, vmid, asid, table: 0, level }, page, fetch.target, true);
      }
    for (const first of held.values())
      if (first.kind === 'ipaLeaf' && first.vmid === vmid && (first.asid === asid || first.asid === -1))
        for (const second of stageTwo)
          if (contains(first, page) && contains(second, at(first, page) / 4096))
            yield {
              ...first,
              kind: 'both',
              from: `${nameOf(first)}/${nameOf(second)}`,
              target: at(second, at(first, page) / 4096),
              serves: page,
            };
  }

  /** A descriptor in the first table of walks is of use only where walks start at that table. */
  #isReachable({ vmid, asid, serves }: Entry): boolean {
    const { process } = this.#guest ?? {};
    if (serves === undefined) return true;
    return vmid === this.#guest?.vmid && asid === process?.asid && serves === process.table;
  }

  #walk(through: Through, page: number): Generator<Entry> {
    const index = through.level === 2 ? Math.floor(page / 512) : page % 512;
    return this.#read(through, page, through.table + 8 * index, false);
  }

  *#read(through: Through, of: number, pa: number, nested: boolean): Generator<Entry> {
    const descriptor = this.#memory.get(pa);
    if (descriptor === undefined || descriptor.kind === 'none') return;
    const { level, stage, vmid, asid } = through;
    const page = level === 2 ? of - (of % 512) : of;
    const range = { page, pages: level === 2 ? 512 : 1, from: `${pa}`, stage, vmid };
    if (level === 2 && descriptor.kind === 'table')
      yield { kind: nested ? 'ipaTable' : 'table', ...range, asid, target: descriptor.table };
    if ((level === 2 && descriptor.kind === 'block') || (level === 3 && descriptor.kind === 'page')) {
      const tag = descriptor.global === true ? -1 : asid;
      yield { kind: nested ? 'ipaLeaf' : 'leaf', ...range, asid: tag, target: descriptor.pa };
    }
  }
}

/** One thing held. */
interface Entry {
  /**
   * Of one stage alone: a table or a leaf. Of a guest: with stage 1 off, a translation through stage 2; with it on, a table
   * and a leaf of stage 1, a descriptor where stage 2 places it, and a translation through both.
   */
  readonly kind: 'table' | 'leaf' | 'off' | 'ipaTable' | 'ipaLeaf' | 'fetch' | 'both';
  readonly stage: 1 | 2;
  readonly vmid: number;
  readonly asid: number;
  readonly page: number;
  readonly pages: number;
  /** What it was read from. */
  readonly from: string;
  /** Where it leads. */
  readonly target: number;
  /** Of a translation of a guest, the one page; of a descriptor at the start of walks, its table. */
  readonly serves?: number;
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

function nameOf({ kind, stage, vmid, asid, page, pages, from, target, serves = 0 }: Entry): string {
  return `${kind}${stage} ${vmid}.${asid} ${page}+${pages} ${from}>${target} ${serves}`;
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
  const last = kind !== 'table' && kind !== 'ipaTable' && kind !== 'fetch';
  const ofStageOne = kind === 'off' || stage === 1;
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
      if (ofStageOne || vmid !== maintenance.vmid) return false;
      return contains(entry, maintenance.ipa / 4096) && (maintenance.kind === 'IPAS2E1' || last);
  }
}
