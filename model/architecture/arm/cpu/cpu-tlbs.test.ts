import { beforeEach, describe, expect, test } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import { AP, encode, STAGE1_LEAF } from '../layout/index.ts';
import { CpuTlbs } from './cpu-tlbs.ts';

const [TABLE, OTHER] = [0x1_0000, 0x2_0000];
const [PAGE, NEXT] = [0x8_0000, 0x9_0000];
const VA = 0x1000;

/** CPUs over a memory in the store. */
class Lab {
  readonly store = new Store();
  readonly words = new Map<number, number>();
  readonly cpus: CpuTlbs;
  readonly #memory: number;

  constructor(common = false) {
    this.#memory = this.store.reserve(64, 'memory');
    const cell = (pa: number): number => this.#memory + (pa >= OTHER ? 32 : 0) + (pa % 0x1_0000) / 4;
    const memory = {
      low: (pa: number) => this.store.get(cell(pa)),
      high: (pa: number) => this.store.get(cell(pa) + 1),
      present: () => true,
    };
    this.cpus = new CpuTlbs(this.store, memory, { cpus: 2, addresses: [VA, 0x2000], common, capacity: 32 });
    this.write = (table, pa, global = false) => {
      const values = { Valid: 1, Page: 1, AP: AP.ANY_RW, AF: 1, nG: global ? 0 : 1, Address: pa };
      const lanes = pa === 0 ? [0, 0] : encode(STAGE1_LEAF, values);
      const at = cell(table + 8);
      this.store.set(at, lanes[0] as number);
      this.store.set(at + 1, lanes[1] as number);
      this.cpus.written(table + 8);
    };
  }

  /** Writes the entry of `VA` in a table; 0 clears it. */
  readonly write: (table: number, pa: number, global?: boolean) => void;

  outcomes(): readonly (readonly number[])[] {
    return [0, 1].map((cpu) => this.cpus.outcomes(cpu, VA));
  }
}

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
  lab.write(TABLE, PAGE);
  lab.write(OTHER, NEXT);
});

const INVALIDATIONS = [
  ['by address', { kind: 'VALE1', asid: 1, va: VA }],
  ['by ASID', { kind: 'ASIDE1', asid: 1 }],
  ['of all', { kind: 'VMALLE1' }],
] as const;

describe('what is held', () => {
  test('nothing before a context is loaded; then what it maps, on that CPU alone', () => {
    expect(lab.outcomes()).toEqual([[], []]);
    lab.cpus.load(0, { table: TABLE, asid: 1 });
    expect(lab.outcomes()).toEqual([[PAGE], []]);
    expect(lab.cpus.outcomes(0, 0x2000)).toEqual([]);
  });

  test('an entry outlives its descriptor, and its context', () => {
    lab.cpus.load(0, { table: TABLE, asid: 1 });
    lab.write(TABLE, 0);
    expect(lab.outcomes()).toEqual([[PAGE], []]);
    lab.cpus.load(0, undefined);
    expect(lab.outcomes()).toEqual([[], []]);
    lab.cpus.load(0, { table: OTHER, asid: 1 });
    expect(new Set(lab.outcomes()[0])).toEqual(new Set([PAGE, NEXT]));
    lab.cpus.load(0, { table: OTHER, asid: 2 });
    expect(lab.outcomes()).toEqual([[NEXT], []]);
  });

  test('a context that is not loaded any more walks no more', () => {
    lab.cpus.load(0, { table: TABLE, asid: 1 });
    lab.cpus.load(0, { table: OTHER, asid: 2 });
    lab.write(TABLE, NEXT);
    lab.cpus.load(0, { table: OTHER, asid: 1 });
    expect(new Set(lab.outcomes()[0])).toEqual(new Set([PAGE, NEXT]));
    lab.write(OTHER, 0);
    lab.cpus.tlbi(0, { kind: 'VMALLE1' }, false);
    lab.cpus.dsb(0, false);
    expect(lab.outcomes()[0]).toEqual([]);
  });

  test('a global entry serves every ASID', () => {
    lab.write(TABLE, PAGE, true);
    lab.cpus.load(0, { table: TABLE, asid: 1 });
    lab.write(TABLE, 0);
    lab.cpus.load(0, { table: TABLE, asid: 2 });
    expect(lab.outcomes()[0]).toEqual([PAGE]);
    lab.cpus.tlbi(0, { kind: 'ASIDE1', asid: 2 }, true);
    lab.cpus.dsb(0, true);
    expect(lab.outcomes()[0]).toEqual([PAGE]);
  });
});

describe.each(INVALIDATIONS)('an invalidation %s', (_name, maintenance) => {
  beforeEach(() => {
    for (const cpu of [0, 1]) lab.cpus.load(cpu, { table: TABLE, asid: 1 });
    lab.write(TABLE, 0);
  });

  test('leaves both outcomes until the DSB of its own CPU', () => {
    lab.cpus.tlbi(0, maintenance, true);
    expect(lab.outcomes()).toEqual([[PAGE], [PAGE]]);
    lab.cpus.dsb(1, true);
    lab.cpus.dsb(0, false);
    expect(lab.outcomes()).toEqual([[PAGE], [PAGE]]);
    lab.cpus.dsb(0, true);
    expect(lab.outcomes()).toEqual([[], []]);
  });

  test('in its local form concerns one CPU', () => {
    lab.cpus.tlbi(0, maintenance, false);
    lab.cpus.dsb(0, false);
    expect(lab.outcomes()).toEqual([[], [PAGE]]);
  });

  test('takes an entry away by the first of two that complete', () => {
    lab.cpus.tlbi(0, maintenance, true);
    lab.cpus.tlbi(1, maintenance, true);
    lab.cpus.dsb(1, true);
    expect(lab.outcomes()).toEqual([[], []]);
  });

  test('does not take away what is walked after it', () => {
    lab.cpus.tlbi(0, maintenance, true);
    lab.write(TABLE, PAGE);
    lab.write(TABLE, 0);
    lab.cpus.dsb(0, true);
    expect(lab.outcomes()).toEqual([[PAGE], [PAGE]]);
  });
});

test('what memory still says comes back at once', () => {
  lab.cpus.load(0, { table: TABLE, asid: 1 });
  lab.cpus.tlbi(0, { kind: 'VMALLE1' }, true);
  lab.cpus.dsb(0, true);
  expect(lab.outcomes()[0]).toEqual([PAGE]);
});

test('by address and ASID nothing else goes', () => {
  lab.cpus.load(0, { table: TABLE, asid: 1 });
  lab.write(TABLE, 0);
  lab.cpus.tlbi(0, { kind: 'VALE1', asid: 2, va: VA }, true);
  lab.cpus.tlbi(0, { kind: 'VALE1', asid: 1, va: 0x2000 }, true);
  lab.cpus.dsb(0, true);
  expect(lab.outcomes()[0]).toEqual([PAGE]);
});

test('entries of CPUs with CnP are common, and a local invalidation reaches them', () => {
  lab = new Lab(true);
  lab.write(TABLE, PAGE);
  lab.write(OTHER, NEXT);
  lab.cpus.load(0, { table: TABLE, asid: 1 });
  lab.cpus.load(1, { table: OTHER, asid: 1 });
  expect(new Set(lab.outcomes()[1])).toEqual(new Set([PAGE, NEXT]));
  lab.cpus.load(0, undefined);
  lab.cpus.tlbi(1, { kind: 'VMALLE1' }, false);
  lab.cpus.dsb(1, false);
  expect(lab.outcomes()[1]).toEqual([NEXT]);
});
