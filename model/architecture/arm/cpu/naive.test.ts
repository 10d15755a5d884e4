import { describe, expect, test } from 'vitest';
import { NaiveTlb } from './testing/naive-tlb.ts';
import { CpuWorld, type Descriptor } from './testing/world.ts';
import type { GuestContext } from './guest-tlb.ts';
import type { TlbMaintenance } from './maintenance.ts';

/** Tables of level 2 and level 3: two of each. */
const [ROOTS, TABLES] = [
  [0x1000, 0x2000],
  [0x4000, 0x5000],
] as const;
/** The table of a guest's process: where it is for the guest, and where stage 2 may place it. */
const [GUEST_ROOT, GUEST_TABLE] = [0x2000, 0x3000];
const GUEST_ROOTS = [0x8000, 0x9000];
const GUEST_TABLES = [0xa000, 0xb000];
const OUTPUTS = [0x20_0000, 0x40_0000, 0x60_0000];
const CPUS = [0, 1] as const;

/** Repeatable random choices. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e37_79b1);
  }

  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0;
    return (this.#state >>> 10) % bound;
  }

  of<Thing>(things: readonly Thing[]): Thing {
    return things[this.below(things.length)] as Thing;
  }
}

interface Options {
  /** What is walked: stage 1, stage 2 (with stage 1 off), or both. */
  readonly stage: 1 | 2 | 'both';
  readonly pages: readonly number[];
  readonly eager: boolean;
  /** Most TLBIs outstanding at a time. */
  readonly tlbis: number;
}

/** The model and the naive one, side by side. */
class Pair {
  readonly log: string[] = [];
  readonly #dice: Dice;
  readonly #options: Options;
  readonly #world: CpuWorld;
  readonly #memory = new Map<number, Descriptor>();
  readonly #naive: readonly NaiveTlb[];
  #outstanding: { readonly id: number; readonly cpu: number; readonly broadcast: boolean }[] = [];
  #ids = 0;

  constructor(seed: number, options: Options) {
    this.#dice = new Dice(seed);
    this.#options = options;
    const { stage, pages, eager } = options;
    const regime = { granule: 12, inputBits: 25 } as const;
    const addresses = pages.map((page) => page * 4096);
    const processes = stage === 'both' ? { processes: { ...regime, addresses } } : {};
    const guests = stage === 1 ? {} : { stageTwo: { ...regime, ipas: addresses, ...processes } };
    this.#world = new CpuWorld({ addresses: stage === 1 ? addresses : [], regime, capacity: 2000, ...guests });
    this.#naive = CPUS.map(() => new NaiveTlb(this.#memory, pages, eager));
    if (stage === 'both') this.#setUpProcess();
  }

  #setUpProcess(): void {
    const [root, table] = [ROOTS[0], TABLES[0]];
    this.#store(2, root, { kind: 'table', table });
    for (const page of [1, 2, 3]) this.#store(2, table + 8 * page, { kind: 'page', pa: outputsOf(page)[0] as number });
    this.#store(1, GUEST_ROOTS[0] as number, { kind: 'table', table: GUEST_TABLE });
    this.#store(1, (GUEST_TABLES[0] as number) + 8, { kind: 'page', pa: 0x1000 });
    this.#loadGuest(0, { table: root, vmid: 1, process: { table: GUEST_ROOT, asid: 1 } });
  }

  step(): void {
    const kinds = [() => this.#write(), () => this.#write(), () => this.#load(), () => this.#tlbi(), () => this.#dsb()];
    this.#dice.of(kinds)();
  }

  /** What may be held, by each of the two. */
  views(): readonly [View, View] {
    const { cpus } = this.#world;
    const { pages, stage } = this.#options;
    const [ours, theirs]: [View, View] = [new Map(), new Map()];
    for (const cpu of CPUS) {
      const naive = this.#naive[cpu] as NaiveTlb;
      for (const page of pages) {
        const at = page * 4096;
        ours.set(`CPU${cpu} ${page}`, sorted(stage === 1 ? cpus.outcomes(cpu, at) : cpus.guestOutcomes(cpu, at)));
        theirs.set(`CPU${cpu} ${page}`, sorted(stage === 1 ? naive.outcomes(page) : naive.guestOutcomes(page)));
      }
    }
    const any = (holds: (naive: NaiveTlb) => boolean): number[] => (this.#naive.some(holds) ? [1] : []);
    for (const table of [...ROOTS, ...TABLES, ...GUEST_ROOTS, ...GUEST_TABLES]) {
      ours.set(`table ${table}`, cpus.tableHeld(table, 4096) === undefined ? [] : [1]);
      theirs.set(
        `table ${table}`,
        any((naive) => naive.tableHeld(table)),
      );
    }
    for (const tag of [1, 2]) {
      const used = stage === 1 ? cpus.asidInUse(tag) : cpus.vmidInUse(tag);
      ours.set(`tag ${tag}`, used === undefined ? [] : [1]);
      theirs.set(
        `tag ${tag}`,
        any((naive) => (stage === 1 ? naive.asidInUse(tag) : naive.vmidInUse(tag))),
      );
    }
    return [ours, theirs];
  }

  #write(): void {
    const { stage, pages } = this.#options;
    const page = this.#dice.of(pages);
    const root = this.#dice.below(2) === 0;
    const index = root ? Math.floor(page / 512) : page % 512;
    if (stage === 'both' && this.#dice.below(2) === 0) {
      const pa = this.#dice.of(root ? GUEST_ROOTS : GUEST_TABLES) + 8 * index;
      this.#store(1, pa, this.#descriptor(root, [GUEST_TABLE], [0, 0x20_0000], [0x1000, 0x20_1000]));
    } else {
      const pa = this.#dice.of<number>(root ? ROOTS : TABLES) + 8 * index;
      const targets = stage === 'both' ? outputsOf(page) : OUTPUTS;
      this.#store(stage === 1 ? 1 : 2, pa, this.#descriptor(root, TABLES, OUTPUTS, targets, stage === 1));
    }
  }

  #descriptor(
    root: boolean,
    tables: readonly number[],
    blocks: readonly number[],
    targets: readonly number[],
    mayBeGlobal = true,
  ): Descriptor {
    const global = mayBeGlobal && this.#dice.below(3) === 0;
    const rooted: readonly Descriptor[] = [
      { kind: 'table', table: this.#dice.of(tables) },
      { kind: 'table', table: this.#dice.of(tables) },
      { kind: 'block', pa: this.#dice.of(blocks), global },
      { kind: 'none' },
    ];
    const leaves: readonly Descriptor[] = [{ kind: 'page', pa: this.#dice.of(targets), global }, { kind: 'none' }];
    return this.#dice.of(root ? rooted : leaves);
  }

  #store(stage: 1 | 2, pa: number, descriptor: Descriptor): void {
    this.log.push(`write ${pa.toString(16)} ${JSON.stringify(descriptor)}`);
    this.#memory.set(pa, descriptor);
    this.#world.write(stage, pa, descriptor);
    for (const naive of this.#naive) naive.written();
  }

  #load(): void {
    const cpu = this.#dice.of(CPUS);
    const tag = this.#dice.below(3);
    const table = this.#dice.of(ROOTS);
    if (this.#options.stage !== 1) {
      const asid = this.#options.stage === 2 ? 0 : this.#dice.below(3);
      const process = asid === 0 ? {} : { process: { table: GUEST_ROOT, asid } };
      this.#loadGuest(cpu, tag === 0 ? undefined : { table, vmid: tag, ...process });
      return;
    }
    const context = tag === 0 ? undefined : { table, asid: tag };
    this.log.push(`CPU${cpu} loads ${JSON.stringify(context)}`);
    this.#world.cpus.load(cpu, context);
    (this.#naive[cpu] as NaiveTlb).load(context);
  }

  #loadGuest(cpu: number, context: GuestContext | undefined): void {
    this.log.push(`CPU${cpu} loads ${JSON.stringify(context)}`);
    this.#world.cpus.loadGuest(cpu, context);
    (this.#naive[cpu] as NaiveTlb).loadGuest(context);
  }

  #tlbi(): void {
    if (this.#outstanding.length === this.#options.tlbis) return;
    const maintenance = this.#maintenance();
    const cpu = this.#dice.of(CPUS);
    const broadcast = this.#dice.below(3) > 0;
    this.log.push(`CPU${cpu} TLBI ${JSON.stringify(maintenance)} ${broadcast ? 'IS' : ''}`);
    this.#world.cpus.tlbi(cpu, maintenance, broadcast);
    const id = this.#ids++;
    this.#outstanding.push({ id, cpu, broadcast });
    for (const [other, naive] of this.#naive.entries()) if (broadcast || other === cpu) naive.tlbi(id, maintenance);
  }

  #maintenance(): TlbMaintenance {
    const address = this.#dice.of(this.#options.pages) * 4096;
    const tag = 1 + this.#dice.below(2);
    const asid = 1 + this.#dice.below(2);
    if (this.#options.stage === 1)
      return this.#dice.of<TlbMaintenance>([
        { kind: 'VAE1', asid: tag, va: address },
        { kind: 'VALE1', asid: tag, va: address },
        { kind: 'VAAE1', va: address },
        { kind: 'VAALE1', va: address },
        { kind: 'ASIDE1', asid: tag },
        { kind: 'VMALLE1' },
      ]);
    return this.#dice.of<TlbMaintenance>([
      { kind: 'IPAS2E1', vmid: tag, ipa: address },
      { kind: 'IPAS2E1', vmid: tag, ipa: address },
      { kind: 'IPAS2LE1', vmid: tag, ipa: address },
      { kind: 'VMALLE1', vmid: tag },
      { kind: 'VMALLE1', vmid: tag },
      { kind: 'VAAE1', vmid: tag, va: address },
      { kind: 'VAALE1', vmid: tag, va: address },
      { kind: 'VAE1', vmid: tag, asid, va: address },
      { kind: 'VALE1', vmid: tag, asid, va: address },
      { kind: 'ASIDE1', vmid: tag, asid },
      { kind: 'VMALLS12E1', vmid: tag },
      { kind: 'ALLE1' },
    ]);
  }

  #dsb(): void {
    const cpu = this.#dice.of(CPUS);
    const shareable = this.#dice.below(4) > 0;
    this.log.push(`CPU${cpu} DSB ${shareable ? 'ISH' : 'NSH'}`);
    this.#world.cpus.dsb(cpu, shareable);
    const done = this.#outstanding.filter((tlbi) => tlbi.cpu === cpu && (shareable || !tlbi.broadcast));
    this.#outstanding = this.#outstanding.filter((tlbi) => !done.includes(tlbi));
    for (const naive of this.#naive) naive.complete(done.map(({ id }) => id));
  }
}

/** Where stage 2 may send a page, so that tables of a guest's process lie where there are tables. */
function outputsOf(page: number): readonly number[] {
  if (page * 4096 === GUEST_ROOT) return GUEST_ROOTS;
  return page * 4096 === GUEST_TABLE ? GUEST_TABLES : OUTPUTS;
}

type View = Map<string, readonly number[]>;

function sorted(values: Iterable<number>): readonly number[] {
  return [...values].sort((a, b) => a - b);
}

/** Runs random programs; with `exact` both must say the same after each step, else the model may say less. */
function compare(runs: number, steps: number, options: Options, exact: boolean): { readonly seen: Set<string> } {
  const seen = new Set<string>();
  for (let seed = 0; seed < runs; seed++) {
    const pair = new Pair(seed, options);
    for (let step = 0; step < steps; step++) {
      pair.step();
      const [ours, theirs] = pair.views();
      for (const [what, found] of ours) {
        const expected = theirs.get(what) ?? [];
        const agrees = exact ? found.join() === expected.join() : found.every((one) => expected.includes(one));
        if (!agrees)
          expect({ seed, log: pair.log, what, found }).toEqual({ seed, log: pair.log, what, found: expected });
        seen.add(`${what.split(' ')[0]} ${found.length}`);
      }
    }
  }
  return { seen };
}

describe.each([1, 2] as const)('stage %i', (stage) => {
  test('says what an exploration of every choice of hardware says', () => {
    const { seen } = compare(60, 14, { stage, pages: [1], eager: false, tlbis: 2 }, true);
    expect(seen).toContain('CPU0 2');
  });

  test('says the same with several pages, in one table and in two', () => {
    const { seen } = compare(150, 40, { stage, pages: [1, 2, 513], eager: true, tlbis: 2 }, true);
    for (const often of ['CPU0 0', 'CPU0 1', 'CPU0 2', 'CPU1 3', 'table 0', 'table 1', 'tag 0', 'tag 1'])
      expect(seen).toContain(often);
  });

  test('says no more with many TLBIs outstanding', () => {
    compare(60, 40, { stage, pages: [1, 513], eager: true, tlbis: 5 }, false);
  });
});

describe('processes of guests', () => {
  test('are what an exploration of the effects of TLBIs says', () => {
    const { seen } = compare(50, 30, { stage: 'both', pages: [1, 2, 3, 513], eager: true, tlbis: 2 }, true);
    for (const often of ['CPU0 0', 'CPU0 1', 'CPU0 2', 'CPU1 1']) expect(seen).toContain(often);
  });

  test('are no more than that with many TLBIs outstanding', () => {
    compare(20, 30, { stage: 'both', pages: [1, 2, 3], eager: true, tlbis: 4 }, false);
  });
});
