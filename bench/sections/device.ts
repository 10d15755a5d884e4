import { alternate, showRate, table, type Measured } from '../measure.ts';
import { MapDevice } from '../peers/map-device.ts';
import { OurDevice } from '../peers/our-device.ts';
import { INVALIDATION, NESTED, PAGES, SmmuWorld, STREAMS, VICTIM, type BenchDevice } from '../workloads/smmu-world.ts';

/** What every device is given and then does: `amount` pieces of work. */
type Work = (device: BenchDevice, amount: number) => void;

/** A device and the world that it is in. */
interface Contender {
  readonly device: BenchDevice;
  readonly world: SmmuWorld;
}

/** Entries of the TLB where none need be resident: as many as our device has by default. */
const ENTRIES_DEFAULT = 4096;

const must = (pa: number): void => {
  if (pa < 0) throw new Error('a translation has failed');
};

/** Accesses that hit: `streams` streams with `pages` pages each. */
function hits(first: number, streams: number, pages: number): Work {
  return (device, amount) => {
    for (let at = 0; at < amount; at++)
      must(device.translate(first + (at & (streams - 1)), ((at >>> 2) & (pages - 1)) << 12, 0));
  };
}

/** Accesses that miss, each to an address that was never used: of 64 address spaces, in other tables at every level. */
function walks(first: number): () => Work {
  return () => {
    let next = 0;
    return (device, amount) => {
      for (let left = amount; left > 0; left--) {
        const at = next++;
        const regions = at >>> 6;
        // Bits 47:39 and 38:30 of the address, then 29:21.
        const high = ((regions & 511) << 7) | ((regions >>> 11) & 127);
        const low = (((regions >>> 9) & 3) << 30) | (((at >>> 24) & 255) << 21);
        must(device.translate(first + (at & 63), low, high));
      }
    };
  };
}

/** Misses of which only the last level has to be read: pages in order, more than the TLB holds. */
function leaves(): Work {
  let next = 0;
  return (device, amount) => {
    for (let left = amount; left > 0; left--) {
      next++;
      must(device.translate(0, (next & (PAGES - 1)) << 12, (next >>> 14) & 0xff));
    }
  };
}

const TRANSLATIONS: Readonly<Record<string, () => Work>> = {
  'hits, one page': () => hits(0, 1, 1),
  'hits, 16 pages': () => hits(0, 1, 16),
  'hits, 64 pages of 16 streams': () => hits(0, 16, 64),
  'hits, 16 pages, nested': () => hits(NESTED, 1, 16),
  'misses, last level': leaves,
  'misses, all 4 levels': walks(0),
  'misses, nested, all 4 levels': walks(NESTED),
};

function contenders(make: readonly ((world: SmmuWorld) => BenchDevice)[]): Contender[] {
  return make.map((create) => {
    const world = new SmmuWorld();
    const device = create(world);
    world.enable(device);
    verify(world, device);
    return { device, world };
  });
}

/** What is measured is right: addresses here and there at both kinds of streams. */
function verify(world: SmmuWorld, device: BenchDevice): void {
  for (let at = 0; at < 256; at++) {
    const page = Math.imul(at, 0x9e3779b1) >>> 12;
    const expected = world.frame(page) + at;
    for (const stream of [at % STREAMS, NESTED + (at % STREAMS)])
      if (device.translate(stream, (page << 12) | at, at) !== expected)
        throw new Error(`${device.name}: page ${page} of stream ${stream} is not at 0x${expected.toString(16)}`);
  }
}

async function row(name: string, list: readonly Measured[], rounds: number, seconds: number): Promise<string[]> {
  const rates = await alternate(list, { rounds, seconds });
  const ours = rates[0]?.best ?? Number.NaN;
  return [
    name,
    ...rates.flatMap(({ best }, index) =>
      index === 0 ? [showRate(best)] : [showRate(best), `${Number((ours / best).toPrecision(2))} ×`],
    ),
  ];
}

function measured(device: BenchDevice, work: (amount: number) => void): Measured {
  return {
    name: device.name,
    run: (amount) => {
      work(amount);
      return Promise.resolve({ units: amount, events: 1 });
    },
  };
}

/** Translations a second of the whole device: requests in, addresses out. */
export async function deviceTranslations(rounds: number, seconds: number): Promise<string> {
  const list = contenders([
    ({ memory }) => new OurDevice(memory),
    ({ memory }) => new MapDevice(memory, ENTRIES_DEFAULT),
  ]);
  const rows: string[][] = [];
  for (const [name, make] of Object.entries(TRANSLATIONS)) {
    const works = list.map(({ device }) => {
      const work = make();
      return measured(device, (amount) => work(device, amount));
    });
    rows.push(await row(name, works, rounds, seconds / 4));
  }
  return [
    'Our SMMUv3, translations per second of processor time',
    table([
      ['', ...list.flatMap(({ device }, index) => (index === 0 ? [device.name] : [device.name, 'ours is']))],
      ...rows,
    ]),
  ].join('\n');
}

/** What an invalidation is of: its command, and the lane of the address that it needs. */
const KINDS = ['va', 'asid', 'vmid'] as const;
const NAMES = { va: 'VA', asid: 'ASID', vmid: 'VMID' } as const;

/** A page is mapped anew, invalidated through the command queue, and accessed, which must see the change. */
function changing({ device, world }: Contender, kind: (typeof KINDS)[number]): (amount: number) => void {
  return (amount) => {
    for (let at = 0; at < amount; at++) {
      const page = at & 255;
      world.map(page, at);
      world.invalidate(device, INVALIDATION[kind], kind === 'va' ? page << 12 : 0);
      const pa = device.translate(VICTIM, page << 12, 0);
      if (pa !== world.frame(at)) throw new Error(`${device.name}: stale after an invalidation by ${kind}`);
    }
  };
}

/** The command alone, with CMD_SYNC: other pages of the same address space may be held, the one that is meant is not. */
function commanding({ device, world }: Contender, kind: (typeof KINDS)[number]): (amount: number) => void {
  for (let page = 256; page < 512; page++) must(device.translate(VICTIM, page << 12, 0));
  return (amount) => {
    for (let at = 0; at < amount; at++)
      world.invalidate(device, INVALIDATION[kind], kind === 'va' ? (at & 255) << 12 : 0);
  };
}

/** Accesses at random to all that is resident. */
function anywhere({ device }: Contender, pages: number): (amount: number) => void {
  let state = 1;
  return (amount) => {
    for (let left = amount; left > 0; left--) {
      state = (Math.imul(state, 0x915f77f5) + 0x3c6ef35f) | 0;
      must(device.translate((state >>> 8) & (STREAMS - 1), ((state >>> 14) & (pages - 1)) << 12, 0));
    }
  };
}

/** Invalidations a second with many translations resident. */
export async function deviceInvalidations(resident: number, rounds: number, seconds: number): Promise<string> {
  const list = contenders([
    ({ memory }) => new OurDevice(memory, { iotlb: { sets: resident / 2, ways: 4 } }),
    ({ memory }) => new MapDevice(memory, 4 * resident),
  ]);
  const pages = resident / STREAMS;
  for (const { device } of list)
    for (let page = 0; page < pages; page++)
      for (let stream = 0; stream < STREAMS; stream++) must(device.translate(stream, page << 12, 0));
  const works: Record<string, (contender: Contender) => (amount: number) => void> = {
    'hits at random': (contender) => anywhere(contender, pages),
  };
  for (const kind of KINDS) works[`by ${NAMES[kind]}`] = (contender) => commanding(contender, kind);
  for (const kind of KINDS) works[`page changed, by ${NAMES[kind]}, access`] = (contender) => changing(contender, kind);
  const rows: string[][] = [];
  for (const [name, make] of Object.entries(works)) {
    const turns = list.map((contender) => measured(contender.device, make(contender)));
    rows.push(await row(name, turns, rounds, seconds / 10));
  }
  return [
    `Our SMMUv3 with ${resident} translations resident: invalidations (each with CMD_SYNC, through the command queue) per second of processor time`,
    table([
      ['', ...list.flatMap(({ device }, index) => (index === 0 ? [device.name] : [device.name, 'ours is']))],
      ...rows,
    ]),
  ].join('\n');
}
