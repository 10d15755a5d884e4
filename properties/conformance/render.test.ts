import { expect, test } from 'vitest';
import { programArbitrary } from './arbitrary.ts';
import { test as property } from '@fast-check/vitest';
import type { ConformanceProgram } from './program.ts';
import { renderConfiguration, renderOperation } from './render.ts';
import { rules } from './rules.ts';

const program: ConformanceProgram = {
  configuration: {
    twoLevelStreams: true,
    shortStreamTable: false,
    recordBadStreamId: false,
    pages: [0x5800_0000],
    vaBits: 39,
    trees: [
      { granule: 12, inputBits: 39, half: 0 },
      { granule: 16, inputBits: 42, half: 1 },
    ],
    contexts: [
      {
        vmid: 1,
        asid: 2,
        low: 0,
        high: 1,
        topByteIgnore: 3,
        hierarchyDisabled: true,
        accessFlagFaultDisabled: true,
        addressSize: 0,
      },
    ],
    devices: [0, 2],
  },
  operations: [
    { kind: 'stream-table', form: 'short' },
    { kind: 'cd', context: 0, form: 'valid', copy: 1 },
    { kind: 'ste', stream: 0, context: 0, form: 'translate' },
    { kind: 'ste', stream: 1, context: 0, form: 'bypass' },
    { kind: 'table', place: { tree: 0, page: 0, level: 1, copy: 0 }, to: 'absent', apTable: 2 },
    {
      kind: 'leaf',
      place: { tree: 0, page: 0, level: 2, copy: 0 },
      target: 1,
      ap: 3,
      global: true,
      accessFlag: false,
      contiguous: false,
    },
    { kind: 'clear', place: { tree: 0, page: 0, level: 3, copy: 0 }, garbage: true, contiguous: true },
    { kind: 'enable', on: false, abort: true },
    {
      kind: 'command',
      command: {
        opcode: 'TLBI_NH_VA',
        vmidOf: 0,
        asidOf: 0,
        page: 0,
        half: 0,
        alignBits: 12,
        leaf: true,
        range: { granule: 1, num: 3, scale: 1, level: 3 },
      },
      sync: true,
    },
    { kind: 'access', stream: 0, access: 'swap', page: 0, half: 0, tag: 0x5a },
  ],
};

test('a program in words', () => {
  expect(renderConfiguration(program)).toEqual([
    'tree 0: 4 KiB granule, 39 bits, TTBR0',
    'tree 1: 64 KiB granule, 42 bits, TTBR1',
    'context 0: VMID 1, ASID 2, TTBR0 tree 0, TTBR1 tree 1, top byte ignored, hierarchical permissions disabled, AFFD, IPS 0',
    'two-level stream table',
    'CR2.RECINVSID clear',
  ]);
  expect(program.operations.map((operation) => renderOperation(program.configuration, operation))).toEqual([
    'level 1 stream table descriptor := short',
    'CD of context 0 := valid, ASID 2, other root table',
    'STE of rocker (StreamID 0x10) := translate by context 0',
    'STE of edu (StreamID 0x20) := bypass',
    'level 1 entry of 0x58000000 (at 0x41100008) := table at an address that is absent, APTable 2',
    'level 2 entry of 0x58000000 (at 0x41200600) := block 0x60200000, read-only, global, AF clear',
    'level 3 entry of 0x58000000 (at 0x41300000) := invalid (other bits set), contiguous group',
    'translation off (CR0.SMMUEN), GBPA.ABORT set',
    'CMD_TLBI_NH_VA VMID 1, ASID 2, address 0x58000000, TG 1, NUM 3, SCALE 1, TTL 3, leaf; CMD_SYNC',
    'rocker (StreamID 0x10) reads, then writes 0x5a00000058000040',
  ]);
});

property.prop([programArbitrary()], { numRuns: 30 })(
  'every operation has its words',
  ({ configuration, operations }) => {
    for (const operation of operations)
      expect(renderOperation(configuration, operation)).not.toMatch(/undefined|NaN|0x-/);
  },
);

test('each rule has one identifier and cites a section', () => {
  expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
  for (const { section, statement } of rules) {
    expect(section).toMatch(/§|Arm ARM/);
    expect(statement).toMatch(/\.$/);
  }
});
