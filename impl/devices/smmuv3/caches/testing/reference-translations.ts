import type { AddressRange } from '../entry.ts';

/** Something held: a leaf or a table descriptor. Pages are of 4 KiB. */
export interface ReferenceEntry {
  /** Unlike that of any other entry. */
  readonly serial: number;
  readonly table: boolean;
  readonly stage2: boolean;
  readonly world: number;
  readonly vmid: number;
  readonly asid: number;
  readonly aset: number;
  readonly global: boolean;
  readonly page: number;
  readonly pages: number;
  readonly sourcePages: number;
  readonly level: number;
  readonly granule: number;
}

/** What an invalidation says of tags; undefined for anything. */
export interface ReferenceScope {
  readonly world?: number;
  readonly vmid?: number;
  readonly asid?: number;
  readonly stage2?: boolean;
}

/**
 * A cache of translations with no bound and no index: what the ones on typed arrays are compared with. It keeps to the
 * words of the architecture (IHI 0070 §3.17, §4.4) as directly as it can.
 */
export class ReferenceTranslations {
  readonly entries = new Map<string, ReferenceEntry>();

  insert(entry: ReferenceEntry): void {
    this.entries.set(keyOf(entry), entry);
  }

  /** Those not among some serial numbers have been lost to replacement. */
  keepOnly(serials: ReadonlySet<number>): void {
    for (const [key, { serial }] of this.entries) if (!serials.has(serial)) this.entries.delete(key);
  }

  /** Serial numbers of all entries. */
  serials(): Set<number> {
    return new Set([...this.entries.values()].map(({ serial }) => serial));
  }

  /** What an access may use. */
  usable(by: Pick<ReferenceEntry, 'table' | 'stage2' | 'world' | 'vmid' | 'asid' | 'aset' | 'page'>): ReferenceEntry[] {
    return [...this.entries.values()].filter(
      (entry) =>
        entry.table === by.table &&
        entry.stage2 === by.stage2 &&
        entry.vmid === by.vmid &&
        (by.stage2 ||
          (entry.world === by.world && entry.aset === by.aset && (entry.global || entry.asid === by.asid))) &&
        by.page >= entry.page &&
        by.page < entry.page + entry.pages,
    );
  }

  /** Drops by tag: an ASID alone does not reach global entries. */
  drop({ world, vmid, asid, stage2 }: ReferenceScope): void {
    for (const [key, entry] of this.entries) {
      if (world !== undefined && entry.world !== world) continue;
      if (vmid !== undefined && entry.vmid !== vmid) continue;
      if (stage2 !== undefined && entry.stage2 !== stage2) continue;
      if (asid !== undefined && (entry.global || entry.asid !== asid)) continue;
      this.entries.delete(key);
    }
  }

  /** Drops by address: an ASID and an address reach global entries too. */
  dropRange({ world, vmid, asid, stage2 }: ReferenceScope, range: AddressRange): void {
    for (const [key, entry] of this.entries) {
      if (entry.world !== world || entry.vmid !== vmid || entry.stage2 !== stage2) continue;
      if (asid !== undefined && !entry.global && entry.asid !== asid) continue;
      if (covers(range, entry)) this.entries.delete(key);
    }
  }
}

function covers(range: AddressRange, entry: ReferenceEntry): boolean {
  if (entry.table && range.leaf) return false;
  if (range.granule !== 0 && range.granule !== entry.granule) return false;
  if (range.level !== 0 && (entry.table ? entry.level >= range.level : entry.level !== range.level)) return false;
  const first = entry.page - (entry.page % entry.sourcePages);
  return first < range.firstPage + range.pages && range.firstPage < first + entry.sourcePages;
}

function keyOf(entry: ReferenceEntry): string {
  const owner = entry.stage2 ? 'stage 2' : entry.global ? `global ${entry.aset}` : `${entry.asid} ${entry.aset}`;
  return `${entry.table ? 'table' : 'leaf'} ${entry.world} ${entry.vmid} ${owner} ${entry.page} ${entry.pages}`;
}
