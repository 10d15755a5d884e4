/** A translation as an object. */
interface Entry {
  readonly world: number;
  readonly vmid: number;
  readonly asid: number;
  /** First page of 4 KiB, and number of them. */
  readonly page: number;
  readonly pages: number;
  readonly outputPage: number;
}

/** What the benchmark asks of a TLB; addresses as lanes, as a device gets them. */
export interface BenchTlb {
  readonly name: string;
  fill(world: number, vmid: number, asid: number, low: number, high: number): void;
  /** The output address of the last hit. */
  pa: number;
  /** @returns whether it was a hit. */
  translate(world: number, vmid: number, asid: number, low: number, high: number): boolean;
  /** Drops `pages` pages of 4 KiB from `page`. */
  dropVa(world: number, vmid: number, asid: number, page: number, pages: number): void;
  dropAsid(world: number, vmid: number, asid: number): void;
  dropVmid(world: number, vmid: number): void;
  dropWorld(world: number): void;
}

const pageOf = (low: number, high: number): number => (high >>> 0) * 2 ** 20 + (low >>> 12);

/** The way most device models are written: one hash table by everything, gone through for each invalidation by tag. */
export class FlatMapTlb implements BenchTlb {
  readonly name = 'one Map by strings';
  pa = Number.NaN;
  readonly #entries = new Map<string, Entry>();

  fill(world: number, vmid: number, asid: number, low: number, high: number): void {
    const page = pageOf(low, high);
    const entry = { world, vmid, asid, page, pages: 1, outputPage: page + 2 ** 20 };
    this.#entries.set(`${world}/${vmid}/${asid}/12/${page}`, entry);
  }

  translate(world: number, vmid: number, asid: number, low: number, high: number): boolean {
    const page = pageOf(low, high);
    const entry = this.#entries.get(`${world}/${vmid}/${asid}/12/${page}`);
    if (entry === undefined) return false;
    this.pa = (entry.outputPage + page - entry.page) * 4096 + (low & 0xfff);
    return true;
  }

  dropVa(world: number, vmid: number, asid: number, page: number, pages: number): void {
    for (let at = page; at < page + pages; at++) this.#entries.delete(`${world}/${vmid}/${asid}/12/${at}`);
  }

  dropAsid(world: number, vmid: number, asid: number): void {
    for (const [key, entry] of this.#entries)
      if (entry.world === world && entry.vmid === vmid && entry.asid === asid) this.#entries.delete(key);
  }

  dropVmid(world: number, vmid: number): void {
    for (const [key, entry] of this.#entries)
      if (entry.world === world && entry.vmid === vmid) this.#entries.delete(key);
  }

  dropWorld(world: number): void {
    for (const [key, entry] of this.#entries) if (entry.world === world) this.#entries.delete(key);
  }
}

/** The best that we know with `Map`s: one for each tag, by numbers, so that an invalidation by tag drops a whole one. */
export class NestedMapTlb implements BenchTlb {
  readonly name = 'a Map for each tag';
  pa = Number.NaN;
  readonly #tags = new Map<number, Map<number, Entry>>();

  fill(world: number, vmid: number, asid: number, low: number, high: number): void {
    const tag = tagOf(world, vmid, asid);
    let entries = this.#tags.get(tag);
    if (entries === undefined) this.#tags.set(tag, (entries = new Map()));
    const page = pageOf(low, high);
    entries.set(page, { world, vmid, asid, page, pages: 1, outputPage: page + 2 ** 20 });
  }

  translate(world: number, vmid: number, asid: number, low: number, high: number): boolean {
    const page = pageOf(low, high);
    const entry = this.#tags.get(tagOf(world, vmid, asid))?.get(page);
    if (entry === undefined) return false;
    this.pa = (entry.outputPage + page - entry.page) * 4096 + (low & 0xfff);
    return true;
  }

  dropVa(world: number, vmid: number, asid: number, page: number, pages: number): void {
    const entries = this.#tags.get(tagOf(world, vmid, asid));
    for (let at = page; at < page + pages; at++) entries?.delete(at);
  }

  dropAsid(world: number, vmid: number, asid: number): void {
    this.#tags.delete(tagOf(world, vmid, asid));
  }

  dropVmid(world: number, vmid: number): void {
    const first = tagOf(world, vmid, 0);
    for (const tag of this.#tags.keys()) if (tag >= first && tag < first + 2 ** 16) this.#tags.delete(tag);
  }

  dropWorld(world: number): void {
    for (const tag of this.#tags.keys()) if (Math.floor(tag / 2 ** 32) === world) this.#tags.delete(tag);
  }
}

function tagOf(world: number, vmid: number, asid: number): number {
  return world * 2 ** 32 + vmid * 2 ** 16 + asid;
}
