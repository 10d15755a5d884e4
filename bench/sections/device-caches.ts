import { Iotlb, iotlbFill, TranslationTags } from '../../impl/devices/smmuv3/caches/index.ts';
import { alternate, showRate, table, type Measured } from '../measure.ts';
import { memoryReads } from '../peers/memory-reads.ts';
import { FlatMapTlb, NestedMapTlb, type BenchTlb } from '../peers/map-tlb.ts';

/** Numbers of resident entries. */
export const RESIDENT = [1 << 10, 1 << 16, 1 << 20] as const;

/** Address spaces that share the entries: 4 VMIDs with 16 ASIDs each. */
const VMIDS = 4;
const ASIDS = 16;

/** Prepared accesses; more would measure how they are read. */
const ACCESSES = 1 << 16;

/** Our TLB, with one single range for each drop by address. */
class OurTlb implements BenchTlb {
  readonly name = 'stalemate';
  pa = Number.NaN;
  readonly #tags = new TranslationTags({ contexts: 256 });
  readonly #tlb: Iotlb;
  readonly #fill = iotlbFill();
  readonly #range = { firstPage: 0, pages: 1, leaf: true, granule: 0, level: 0 };

  /** @param entries that it is to hold: it has room for twice as many. */
  constructor(entries: number) {
    this.#tlb = new Iotlb(this.#tags, { sets: entries / 2, ways: 4 });
  }

  fill(world: number, vmid: number, asid: number, low: number, high: number): void {
    const fill = this.#fill;
    fill.world = world;
    fill.vmid = vmid;
    fill.asid = asid;
    fill.addressLow = fill.outputLow = low;
    fill.addressHigh = high;
    fill.outputHigh = high + 1;
    this.#tlb.insert(fill);
  }

  translate(world: number, vmid: number, asid: number, low: number, high: number): boolean {
    const entry = this.#tlb.lookup(world, vmid, asid, 0, low, high);
    if (entry < 0) return false;
    this.pa = this.#tlb.output(entry, low, high);
    return true;
  }

  dropVa(world: number, vmid: number, asid: number, page: number, pages: number): void {
    this.#range.firstPage = page;
    this.#range.pages = pages;
    this.#tlb.dropVa(world, vmid, asid, this.#range);
  }

  dropAsid(world: number, vmid: number, asid: number): void {
    this.#tags.dropAsid(world, vmid, asid);
  }

  dropVmid(world: number, vmid: number): void {
    if (world === 0) this.#tags.dropVmid(vmid);
    else this.#tags.dropStage1(world, vmid);
  }

  dropWorld(world: number): void {
    this.#tags.dropWorld(world);
  }
}

/** Accesses to come: address spaces and lanes of addresses. */
interface Accesses {
  readonly vmid: Uint16Array;
  readonly asid: Uint16Array;
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/** Where the pages of an address space begin: high lane and low lane. */
function base(vmid: number, asid: number): { low: number; high: number } {
  return { high: 0x10 + vmid, low: asid * 0x0040_0000 };
}

/**
 * @param pages pages of each address space.
 * @param beyond pages to be added, so that nothing is hit.
 */
function accesses(pages: number, order: 'random' | 'streams', beyond: number): Accesses {
  const list = {
    vmid: new Uint16Array(ACCESSES),
    asid: new Uint16Array(ACCESSES),
    low: new Int32Array(ACCESSES),
    high: new Int32Array(ACCESSES),
  };
  let state = 1;
  let page = 0;
  for (let at = 0; at < ACCESSES; at++) {
    // A device that reads a buffer: 64 pages in order. Else every access is to anywhere.
    const jump = order === 'random' || at % 64 === 0;
    state = jump ? (Math.imul(state, 0x9e3779b1) + 0x7f4a7c15) | 0 : state;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
    page = jump ? mixed % pages : (page + 1) % pages;
    list.vmid[at] = (mixed >>> 20) % VMIDS;
    list.asid[at] = (mixed >>> 26) % ASIDS;
    const from = base(list.vmid[at] as number, list.asid[at] as number);
    list.low[at] = from.low + (page + beyond) * 4096 + 0x123;
    list.high[at] = from.high;
  }
  return list;
}

type Work = (tlb: BenchTlb, amount: number) => number;

function translating({ vmid, asid, low, high }: Accesses): Work {
  return (tlb, amount) => {
    let hits = 0;
    for (let done = 0; done < amount; done++) {
      const at = done & (ACCESSES - 1);
      if (tlb.translate(0, vmid[at] as number, asid[at] as number, low[at] as number, high[at] as number)) hits++;
    }
    return hits;
  };
}

function repeating(once: (tlb: BenchTlb, index: number) => void): Work {
  return (tlb, amount) => {
    for (let index = 0; index < amount; index++) once(tlb, index);
    return amount;
  };
}

/** What is measured; the invalidations each drop one entry that was filled just before, while all others stay. */
function works(pages: number): Readonly<Record<string, { work: Work; hits?: boolean }>> {
  return {
    'hits, at random': { work: translating(accesses(pages, 'random', 0)), hits: true },
    'hits, runs of 64 pages': { work: translating(accesses(pages, 'streams', 0)), hits: true },
    'misses, at random': { work: translating(accesses(pages, 'random', 1 << 16)), hits: false },
    fill: { work: repeating((tlb, index) => tlb.fill(0, 9, 9, (index % pages) << 12, 0)) },
    'fill, drop by VA': {
      work: repeating((tlb, index) => {
        tlb.fill(0, 9, 1, (index % 512) << 12, 0);
        tlb.dropVa(0, 9, 1, index % 512, 1);
      }),
    },
    'fill, drop 64 pages by VA': {
      work: repeating((tlb, index) => {
        tlb.fill(0, 9, 1, (index % 512) << 12, 0);
        tlb.dropVa(0, 9, 1, (index % 512) & ~63, 64);
      }),
    },
    'fill, drop by ASID': {
      work: repeating((tlb, index) => {
        tlb.fill(0, 9, 1, (index % 512) << 12, 0);
        tlb.dropAsid(0, 9, 1);
      }),
    },
    'fill, drop by VMID': {
      work: repeating((tlb, index) => {
        tlb.fill(0, 9, 1, (index % 512) << 12, 0);
        tlb.dropVmid(0, 9);
      }),
    },
    'fill, drop all of a world': {
      work: repeating((tlb, index) => {
        tlb.fill(1, 0, 0, (index % 512) << 12, 0);
        tlb.dropWorld(1);
      }),
    },
  };
}

/** Translations and invalidations a second with many entries resident, beside TLBs made of `Map`s. */
export async function deviceCaches(resident: number, rounds: number, seconds: number): Promise<string> {
  const pages = resident / (VMIDS * ASIDS);
  const tlbs: BenchTlb[] = [new OurTlb(resident), new FlatMapTlb(), new NestedMapTlb()];
  for (const tlb of tlbs)
    for (let vmid = 0; vmid < VMIDS; vmid++)
      for (let asid = 0; asid < ASIDS; asid++) {
        const from = base(vmid, asid);
        for (let page = 0; page < pages; page++) tlb.fill(0, vmid, asid, from.low + page * 4096, from.high);
      }
  const rows: string[][] = [];
  for (const [name, { work, hits }] of Object.entries(works(pages))) {
    const contenders: Measured[] = tlbs.map((tlb) => ({
      name: tlb.name,
      run: async (amount) => {
        const found = work(tlb, amount);
        if (hits !== undefined && found !== (hits ? amount : 0))
          throw new Error(`${tlb.name}: ${found} of ${amount} hit`);
        return { units: amount, events: 1 };
      },
    }));
    const rates = await alternate(contenders, { rounds, seconds: seconds / 5 });
    const ours = rates[0]?.best ?? Number.NaN;
    rows.push([
      name,
      ...rates.flatMap(({ best }, index) =>
        index === 0 ? [showRate(best)] : [showRate(best), `${(ours / best).toPrecision(2)} ×`],
      ),
    ]);
  }
  const { waiting, overlapping } = memoryReads(64 * resident);
  const heads = tlbs.flatMap(({ name }, index) => (index === 0 ? [name] : [name, 'ours is']));
  return [
    `TLB of our SMMUv3 with ${resident} entries of ${VMIDS} × ${ASIDS} address spaces: per second of processor time`,
    table([['', ...heads], ...rows]),
    `  The memory alone: random lines of a table as large as ours, ${showRate(waiting)} waiting for each, ${showRate(overlapping)} overlapping.`,
  ].join('\n');
}
