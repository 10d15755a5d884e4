import { expect, test } from 'vitest';
import { runToCompletion } from '../../../engine/complete.ts';
import { Machine } from '../../../engine/machine.ts';
import {
  decode,
  CD,
  COMMAND_ATC_INV,
  COMMAND_CFGI,
  COMMAND_TLBI,
} from '../../../model/architecture/arm/layout/index.ts';
import {
  IOTLB_INVALIDATE,
  PASID_CACHE_INVALIDATE,
  PASID_DEVICE_TLB_INVALIDATE,
  PASID_ENTRY,
  PASID_IOTLB_INVALIDATE,
  PGTT,
} from '../../../model/architecture/vtd/layout/index.ts';
import { IoasidKernel } from './kernel.ts';
import type { CdPort, PasidPort, VtdPort } from './port.ts';

const LAYOUTS = {
  2: IOTLB_INVALIDATE,
  6: PASID_IOTLB_INVALIDATE,
  7: PASID_CACHE_INVALIDATE,
  8: PASID_DEVICE_TLB_INVALIDATE,
};
const SID = 8;
const EVERY_ADDRESS = 2 ** 63 - 2 ** 12;

/** The driver over a port that writes down what it is asked for. */
function over(port: Partial<PasidPort>): { tables: NonNullable<IoasidKernel['tables']>; machine: Machine } {
  const machine = new Machine();
  const whole = { writeEntry: () => undefined, flush: () => undefined, ...port };
  const layout = { pasids: 2, owners: 1, devices: 1, quota: 1, allocations: 2 };
  const { tables } = new IoasidKernel({ machine, port: whole, emit: () => undefined, note: () => undefined }, layout);
  if (tables === undefined) throw new Error('the port has no tables');
  return { tables, machine };
}

/** VT-d with one entry, and what was done in turn. */
function vtd(type: number): { log: unknown[]; entry: number[]; tables: NonNullable<IoasidKernel['tables']> } {
  const log: unknown[] = [];
  const entry = Array.from({ length: 16 }, () => 0);
  const port: VtdPort = {
    readWord: (_device, _pasid, word) => [entry[2 * word] as number, entry[2 * word + 1] as number],
    writeWord: (_device, _pasid, word, low, high) => {
      if (entry[2 * word] !== low || entry[2 * word + 1] !== high) log.push(`word ${word}`);
      [entry[2 * word], entry[2 * word + 1]] = [low, high];
    },
    submit: (lanes) => {
      const layout = LAYOUTS[((lanes[0] as number) & 15) as keyof typeof LAYOUTS];
      const fields = Object.entries(decode<string>(layout, lanes)).filter(([, value]) => value !== 0);
      log.push(Object.fromEntries(fields));
      return log.length;
    },
    completed: (wait) => log.push(`done ${wait}`),
    sourceId: () => SID,
    domain: () => ({ did: 5, type, firstStage: 0x1000, secondStage: 0x2000 }),
  };
  return { log, entry, tables: over({ vtd: port }).tables };
}

test('VT-d: an entry is written, and present last', () => {
  const { log, entry, tables } = vtd(PGTT.FIRST_STAGE);
  runToCompletion(tables.setup(0, 1, 0));
  expect(log).toEqual(['word 0', 'word 1', 'word 2', 'word 0']);
  const { P, PGTT: type, DID, FLPTPTR, SLPTPTR, PWSNP, SRE, WPE } = decode(PASID_ENTRY, entry);
  expect({ P, type, DID, FLPTPTR, SLPTPTR, PWSNP, SRE, WPE }).toEqual({
    P: 1,
    type: PGTT.FIRST_STAGE,
    DID: 5,
    FLPTPTR: 0x1000,
    SLPTPTR: 0,
    PWSNP: 1,
    SRE: 1,
    WPE: 1,
  });
});

const BY_PASID = { Type: 6, G: 2, DID: 5, PASID: 1 };
const BY_DOMAIN = { Type: 2, G: 2, DW: 1, DR: 1, DID: 5 };

test.each([
  ['of a first stage', PGTT.FIRST_STAGE, BY_PASID],
  ['that is passed through', PGTT.PASS_THROUGH, BY_PASID],
  ['of a second stage', PGTT.SECOND_STAGE, BY_DOMAIN],
  ['of both stages', PGTT.NESTED, BY_DOMAIN],
])('VT-d: an entry %s is cleared, flushed, and cleared for good', (_what, type, iotlb) => {
  const { log, entry, tables } = vtd(type);
  runToCompletion(tables.setup(0, 1, 0));
  expect(decode(PASID_ENTRY, entry).SLPTPTR).toBe(type === PGTT.NESTED ? 0x2000 : 0);
  log.length = 0;
  runToCompletion(tables.tearDown(0, 1));
  expect(log).toEqual([
    'word 0',
    { Type: 7, G: 1, DID: 5, PASID: 1 },
    'done 2',
    iotlb,
    'done 4',
    { Type: 8, SID, PASID: 1, S: 1, Address: EVERY_ADDRESS },
    'done 6',
    'word 0',
    'word 1',
    'word 2',
  ]);
  expect(entry.every((lane) => lane === 0)).toBe(true);
});

/** An SMMU with one context descriptor, and what was done in turn. */
function smmu(): { log: unknown[]; cd: number[]; tables: NonNullable<IoasidKernel['tables']> } {
  const log: unknown[] = [];
  const cd = Array.from({ length: 16 }, () => 0);
  const port: CdPort = {
    writeCd: (_device, _pasid, word, low, high) => {
      if (cd[2 * word] !== low || cd[2 * word + 1] !== high) log.push(`word ${word}`);
      [cd[2 * word], cd[2 * word + 1]] = [low, high];
    },
    issue: (commands) => {
      for (const lanes of commands) {
        const opcode = (lanes[0] as number) & 0xff;
        const layout = opcode === 0x40 ? COMMAND_ATC_INV : opcode < 0x10 ? COMMAND_CFGI : COMMAND_TLBI;
        const fields = opcode === 0x46 ? [] : Object.entries(decode<string>(layout, lanes));
        log.push(Object.fromEntries([['Opcode', opcode], ...fields.filter(([, value]) => value !== 0)]));
      }
      return log.length;
    },
    completed: (end) => log.push(`done ${end}`),
    streamId: () => 3,
    table: () => 0x1000,
  };
  return { log, cd, tables: over({ cds: port }).tables };
}

const CFGI_CD = { Opcode: 0x05, StreamID: 3, SubstreamID: 1, Leaf: 1 };
const SYNC = { Opcode: 0x46 };

test('SMMU: a context descriptor is written, valid last', () => {
  const { log, cd, tables } = smmu();
  runToCompletion(tables.setup(0, 1, 0));
  expect(log).toEqual(['word 1', CFGI_CD, SYNC, 'done 3', 'word 0', CFGI_CD, SYNC, 'done 7']);
  const { V, ASID, TTB0, ASET, EPD0, EPD1 } = decode(CD, cd);
  expect({ V, ASID, TTB0, ASET, EPD0, EPD1 }).toEqual({ V: 1, ASID: 1, TTB0: 0x1000, ASET: 1, EPD0: 0, EPD1: 1 });
});

test('SMMU: it is made invalid, then what is cached goes, the ATC last', () => {
  const { log, tables } = smmu();
  runToCompletion(tables.setup(0, 1, 0));
  log.length = 0;
  runToCompletion(tables.tearDown(0, 1));
  expect(log).toEqual([
    'word 0',
    CFGI_CD,
    SYNC,
    'done 3',
    { Opcode: 0x11, ASID: 1 },
    SYNC,
    'done 6',
    { Opcode: 0x40, SSV: 1, StreamID: 3, SubstreamID: 1, Size: 52 },
    SYNC,
    'done 9',
  ]);
});
