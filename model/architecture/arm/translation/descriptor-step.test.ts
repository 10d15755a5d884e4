import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import {
  effectiveOutputBits,
  HIERARCHY,
  interpretationKey,
  stepDescriptor,
  type DescriptorStep,
  type Interpretation,
} from './descriptor-step.ts';
import { STAGE1_LEAF, STAGE1_LEAF_64K, TABLE_DESCRIPTOR, TABLE_DESCRIPTOR_64K } from '../layout/descriptor.ts';
import { EVENT } from '../layout/event.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { PERMISSION } from '../outcomes/outcome.ts';

const usual = {
  granule: 12,
  region: 0,
  inputBits: 39,
  outputBits: 48,
  affd: false,
  had: false,
  wxn: false,
  pan: false,
  el2: false,
  tbi: false,
  stage2: undefined,
} as const;

function by(values: Partial<Interpretation> = {}): Interpretation {
  const all = { ...usual, ...values };
  return { ...all, key: interpretationKey(all) };
}

function step(lanes: number[], level = 3, values: Partial<Interpretation> = {}, hierarchy = 0): DescriptorStep {
  return stepDescriptor(by(values), level, hierarchy, lanes[0] as number, lanes[1] as number);
}

function page(values: FieldValues<typeof STAGE1_LEAF> = {}): number[] {
  return encode(STAGE1_LEAF, { Valid: 1, Page: 1, AF: 1, AP: 1, Address: 0x1234_5000, ...values });
}

function block(values: FieldValues<typeof STAGE1_LEAF> = {}): number[] {
  return page({ Page: 0, Address: 0x4000_0000, ...values });
}

const translation = { kind: 'fault', event: EVENT.F_TRANSLATION };

describe('the key of an interpretation', () => {
  it('tells apart all that makes descriptors mean something else', () => {
    const controls = { xnx: false, fwb: false, ptw: false };
    const others: Partial<Interpretation>[] = [
      { granule: 14 },
      { region: 1 },
      { inputBits: 48 },
      { outputBits: 44 },
      ...(['affd', 'had', 'wxn', 'pan', 'tbi', 'el2'] as const).map((flag) => ({ [flag]: true })),
      { stage2: controls },
      ...(['xnx', 'fwb', 'ptw'] as const).map((flag) => ({ stage2: { ...controls, [flag]: true } })),
    ];
    const keys = [{}, ...others].map((values) => by(values).key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(by({ stage2: { ...controls } }).key).toBe(by({ stage2: controls }).key);
  });
});

describe('validity of a descriptor', () => {
  it('needs bit 0', () => {
    expect(step([0, 0])).toEqual(translation);
    expect(step(page({ Valid: 0 }))).toEqual(translation);
    expect(step(page())).toMatchObject({ kind: 'leaf', pa: 0x1234_5000 });
  });

  it('reserves 01 at level 3', () => expect(step(page({ Page: 0 }))).toEqual(translation));

  it.each([
    [12, 0, false],
    [12, 1, true],
    [12, 2, true],
    [14, 1, false],
    [14, 2, true],
    [16, 1, false],
    [16, 2, true],
  ] as const)('granule 2^%i allows a block at level %i: %s', (granule, level, allowed) => {
    expect(step(block(), level, { granule }).kind).toBe(allowed ? 'leaf' : 'fault');
  });

  it('ignores the low bits of a block address', () => {
    expect(step(block({ Address: 0x4012_3000 }), 2)).toMatchObject({ pa: 0x4000_0000 });
    expect(step(page({ Address: 0x4012_3000 }), 3, { granule: 16 })).toMatchObject({ pa: 0x4012_0000 });
  });
});

describe('address size', () => {
  it('checks pages, blocks and next-level tables against IPS', () => {
    const fault = { kind: 'fault', event: EVENT.F_ADDR_SIZE };
    const beyond = 2 ** 36;
    expect(step(page({ Address: beyond }), 3, { outputBits: 36 })).toEqual(fault);
    expect(step(page({ Address: beyond }), 3, { outputBits: 40 }).kind).toBe('leaf');
    expect(step(block({ Address: beyond }), 2, { outputBits: 36 })).toEqual(fault);
    const table = encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: beyond });
    expect(step(table, 2, { outputBits: 36 })).toEqual(fault);
    expect(step(table, 2)).toEqual({ kind: 'table', table: beyond, hierarchy: 0 });
  });

  it('comes before the access flag', () => {
    const lanes = page({ Address: 2 ** 36, AF: 0 });
    expect(step(lanes, 3, { outputBits: 36 })).toEqual({ kind: 'fault', event: EVENT.F_ADDR_SIZE });
  });

  it('uses bits [15:12] as [51:48] only with 64 KiB granules and 52 bits', () => {
    const lanes = encode(STAGE1_LEAF_64K, { Valid: 1, Page: 1, AF: 1, Address: 0x1_0000, AddressTop: 2 ** 48 });
    expect(step(lanes, 3, { granule: 16, outputBits: 52 })).toMatchObject({ pa: 2 ** 48 + 0x1_0000 });
    expect(step(lanes, 3, { granule: 16 })).toMatchObject({ pa: 0x1_0000 });
    const table = encode(TABLE_DESCRIPTOR_64K, { Valid: 1, Table: 1, Address: 0x1_0000, AddressTop: 2 ** 48 });
    expect(step(table, 2, { granule: 16, outputBits: 52 })).toMatchObject({ table: 2 ** 48 + 0x1_0000 });
  });

  it('leaves [15:12] in their place with smaller granules, whatever the output size', () => {
    expect(step(page({ Address: 0x1234_5000 }), 3, { outputBits: 52 })).toMatchObject({ pa: 0x1234_5000 });
    const table = encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: 0x1_4000 });
    expect(step(table, 2, { granule: 14, outputBits: 52 })).toMatchObject({ table: 0x1_4000 });
  });

  it('caps IPS by the output size', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((ips) => effectiveOutputBits(ips, 44))).toEqual([
      32, 36, 40, 42, 44, 44, 44, 44,
    ]);
    expect(effectiveOutputBits(7, 52)).toBe(52);
  });
});

describe('attributes of a leaf', () => {
  it('raises an access flag fault unless AFFD', () => {
    expect(step(page({ AF: 0 }))).toEqual({ kind: 'fault', event: EVENT.F_ACCESS });
    expect(step(page({ AF: 0 }), 3, { affd: true }).kind).toBe('leaf');
  });

  it('gives nG, Contiguous, nT, AttrIndx and SH', () => {
    expect(step(page({ nG: 0 }))).toMatchObject({ global: true, contiguous: false, nT: false });
    expect(step(page({ nG: 1, Contiguous: 1 }))).toMatchObject({ global: false, contiguous: true });
    expect(step(page({ AttrIndx: 5, SH: 3 }))).toMatchObject({ attributes: 5 | (3 << 3) });
    const [low, high] = block();
    expect(step([(low as number) | 0x1_0000, high as number], 2)).toMatchObject({ nT: true });
    expect(step([(page()[0] as number) | 0x1_0000, 0], 3)).toMatchObject({ nT: false });
  });
});

/** Permissions written down as the architecture's tables have them, for AP[2:1] = 0 … 3 with PXN = UXN = 0. */
const { PR, PW, PX, UR, UW, UX } = PERMISSION;
const TABLE = [PR | PW | PX | UX, PR | PW | UR | UW | UX, PR | PX | UX, PR | PX | UR | UX];

function permissions(of: DescriptorStep): number {
  return of.kind === 'leaf' ? of.permissions : -1;
}

describe('permissions', () => {
  it.each([0, 1, 2, 3])('AP %i', (AP) => expect(permissions(step(page({ AP })))).toBe(TABLE[AP]));

  it('PXN and UXN', () => {
    expect(permissions(step(page({ AP: 3, PXN: 1 })))).toBe(PR | UR | UX);
    expect(permissions(step(page({ AP: 3, UXN: 1 })))).toBe(PR | PX | UR);
  });

  it('WXN forbids execution of what may be written', () => {
    expect(permissions(step(page({ AP: 0 }), 3, { wxn: true }))).toBe(PR | PW | UX);
    expect(permissions(step(page({ AP: 1 }), 3, { wxn: true }))).toBe(PR | PW | UR | UW);
    expect(permissions(step(page({ AP: 3 }), 3, { wxn: true }))).toBe(TABLE[3]);
  });

  it('PAN refuses privileged data accesses to what unprivileged ones may reach', () => {
    expect(permissions(step(page({ AP: 3 }), 3, { pan: true }))).toBe(PX | UR | UX);
    expect(permissions(step(page({ AP: 2 }), 3, { pan: true }))).toBe(TABLE[2]);
  });

  it('hierarchical attributes only restrict', () => {
    const { NO_UNPRIVILEGED, READ_ONLY, PXN, UXN } = HIERARCHY;
    expect(permissions(step(page({ AP: 1 }), 3, {}, NO_UNPRIVILEGED))).toBe(TABLE[0]);
    expect(permissions(step(page({ AP: 1 }), 3, {}, READ_ONLY))).toBe(TABLE[3]);
    expect(permissions(step(page({ AP: 3 }), 3, {}, PXN))).toBe(PR | UR | UX);
    expect(permissions(step(page({ AP: 3 }), 3, {}, UXN))).toBe(PR | PX | UR);
  });
});

describe('table descriptors', () => {
  const table = (values: FieldValues<typeof TABLE_DESCRIPTOR>): number[] =>
    encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: 0x5000, ...values });

  it('gather hierarchical attributes over the levels', () => {
    const { NO_UNPRIVILEGED, READ_ONLY, PXN, UXN } = HIERARCHY;
    expect(step(table({ APTable: 1 }), 1)).toMatchObject({ hierarchy: NO_UNPRIVILEGED });
    expect(step(table({ APTable: 2 }), 1)).toMatchObject({ hierarchy: READ_ONLY });
    expect(step(table({ PXNTable: 1 }), 1)).toMatchObject({ hierarchy: PXN });
    expect(step(table({ UXNTable: 1 }), 1)).toMatchObject({ hierarchy: UXN });
    expect(step(table({ APTable: 2 }), 2, {}, PXN)).toMatchObject({ hierarchy: READ_ONLY | PXN });
  });

  it('do not, with HADx', () => {
    expect(step(table({ APTable: 3, PXNTable: 1, UXNTable: 1 }), 1, { had: true })).toMatchObject({ hierarchy: 0 });
  });
});

test.prop([
  fc.integer(),
  fc.integer(),
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom(12 as const, 14 as const, 16 as const),
  fc.integer({ min: 0, max: 15 }),
])('any 64 bits mean something within bounds', (low, high, level, granule, hierarchy) => {
  const result = step([low, high], level, { granule, outputBits: 44 }, hierarchy);
  if (result.kind === 'fault') expect(result.event).toBeGreaterThanOrEqual(EVENT.F_TRANSLATION);
  else if (result.kind === 'table') {
    expect(level).toBeLessThan(3);
    expect(result.table).toBeLessThan(2 ** 44);
    expect(result.table % 2 ** granule).toBe(0);
    expect(result.hierarchy & hierarchy).toBe(hierarchy);
  } else {
    expect(result.pa).toBeLessThan(2 ** 44);
    // Nobody writes what the hierarchy makes read-only, and unprivileged write implies unprivileged read.
    if ((hierarchy & HIERARCHY.READ_ONLY) !== 0) expect(result.permissions & (PW | UW)).toBe(0);
    if ((result.permissions & UW) !== 0) expect(result.permissions & (UR | PX)).toBe(UR);
  }
});
