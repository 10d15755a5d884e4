import { describe, expect, it } from 'vitest';
import { decodeCommand, type Command } from '../commands/invalidation.ts';
import { COMMAND_PRI_RESP, COMMAND_RESUME, COMMAND_STALL_TERM, OPCODE, PRI_RESPONSE } from '../layout/command.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import { atcInv } from '../testing/world.ts';
import { coversAtc } from './atc-invalidation.ts';

function decode(lanes: number[], features: Partial<SmmuFeatures> = {}): Command {
  return decodeCommand({ ...FULL_FEATURES, ats: true, pri: true, ...features }, lanes);
}

const held = { streamId: 1, substream: 3, page: 0x1234 };
const none = { ...held, substream: -1 };

function covers(values: Parameters<typeof atcInv>[0], target = held, features: Partial<SmmuFeatures> = {}): boolean {
  const command = decode(atcInv(values), features);
  return command.kind === 'atc' && coversAtc(command, target);
}

describe('CMD_ATC_INV (§4.5.1)', () => {
  it('covers a span that is aligned to its size', () => {
    expect(covers({ StreamID: 1, Address: 0x123_4000 })).toBe(true);
    expect(covers({ StreamID: 1, Address: 0x123_5000 })).toBe(false);
    expect(covers({ StreamID: 1, Address: 0x123_5000, Size: 1 })).toBe(true);
    expect(covers({ StreamID: 1, Address: 0x123_6000, Size: 1 })).toBe(false);
    expect(covers({ StreamID: 1, Address: 0, Size: 12 })).toBe(false);
    expect(covers({ StreamID: 1, Address: 0, Size: 13 })).toBe(true);
  });

  it('covers everything with size 52, and not surely anything beyond', () => {
    const last = { ...held, page: 2 ** 52 - 1 };
    expect(covers({ StreamID: 1, Size: 52 }, last)).toBe(true);
    expect(covers({ StreamID: 1, Size: 51 }, last)).toBe(false);
    expect(covers({ StreamID: 1, Size: 53 })).toBe(false);
    expect(covers({ StreamID: 1, Size: 63 })).toBe(false);
  });

  it('covers an address with the tag that it names only (§3.9.1)', () => {
    expect(covers({ StreamID: 1, Address: 0x123_4000 }, { ...held, page: 2 ** 48 + 0x1234 })).toBe(false);
  });

  it('covers no page behind its span', () => {
    expect(covers({ StreamID: 1, Address: 0x123_3000 })).toBe(false);
    expect(covers({ StreamID: 1, Address: 0x123_2000, Size: 1 })).toBe(false);
    expect(covers({ StreamID: 1, Address: 0x123_4000, Size: 1 }, { ...held, page: 0x1236 })).toBe(false);
  });

  it('names a StreamID and a SubstreamID that there are, or need not be processed (§4.1.7)', () => {
    const kinds = (values: Parameters<typeof atcInv>[0], features: Partial<SmmuFeatures>): string =>
      decode(atcInv({ Size: 52, ...values }), features).kind;
    expect(kinds({ StreamID: 255 }, { sidSize: 8 })).toBe('atc');
    expect(kinds({ StreamID: 256 }, { sidSize: 8 })).not.toBe('atc');
    expect(kinds({ SSV: 1, SubstreamID: 1 }, { ssidSize: 1 })).toBe('atc');
    expect(kinds({ SSV: 1, SubstreamID: 2 }, { ssidSize: 1 })).not.toBe('atc');
    expect(kinds({ SSV: 1, SubstreamID: 0 }, { ssidSize: 0 })).not.toBe('atc');
    expect(kinds({ SSV: 0, SubstreamID: 2 }, { ssidSize: 0 })).toBe('atc');
  });

  it('covers one device', () => {
    expect(covers({ StreamID: 2, Size: 52 })).toBe(false);
    expect(covers({ StreamID: 1 + 2 ** 16, Size: 52 })).toBe(false);
  });

  it('covers one PASID, or all without one', () => {
    expect(covers({ StreamID: 1, Size: 52, SSV: 1, SubstreamID: 3 })).toBe(true);
    expect(covers({ StreamID: 1, Size: 52, SSV: 1, SubstreamID: 4 })).toBe(false);
    expect(covers({ StreamID: 1, Size: 52, SSV: 1, SubstreamID: 4, Global: 1 })).toBe(false);
    expect(covers({ StreamID: 1, Size: 52, SubstreamID: 4 })).toBe(true);
    expect(covers({ StreamID: 1, Size: 52 }, none)).toBe(true);
    expect(covers({ StreamID: 1, Size: 52, SSV: 1, SubstreamID: 0 }, none)).toBe(false);
  });

  it('need not cover anything with a PASID where there are none', () => {
    expect(covers({ StreamID: 1, Size: 52, SSV: 1, SubstreamID: 3 }, held, { ssidSize: 0 })).toBe(false);
    expect(covers({ StreamID: 1, Size: 52, SSV: 1, SubstreamID: 3 }, held, { ssidSize: 1 })).toBe(false);
    expect(covers({ StreamID: 1, Size: 52 }, held, { ssidSize: 0 })).toBe(true);
  });

  it('need not cover less than the smallest translation unit, the smallest granule (§3.9.1)', () => {
    const features = { granules: [16] } as const;
    expect(covers({ StreamID: 1, Address: 0x123_4000, Size: 3 }, held, features)).toBe(false);
    expect(covers({ StreamID: 1, Address: 0x123_4000, Size: 4 }, held, features)).toBe(true);
  });

  it('is illegal without ATS', () => {
    expect(decode(atcInv({ StreamID: 1 }), { ats: false })).toEqual({ kind: 'illegal' });
    expect(decode(atcInv({ StreamID: 1, SSec: 1 }))).toEqual({ kind: 'illegal' });
  });
});

describe('commands that answer devices', () => {
  const response = (values: FieldValues<typeof COMMAND_PRI_RESP>, features: Partial<SmmuFeatures> = {}): string =>
    decode(encode(COMMAND_PRI_RESP, { Opcode: OPCODE.PRI_RESP, ...values }), features).kind;

  it('CMD_PRI_RESP needs PRI and a response that is not reserved (§4.5.2)', () => {
    const { FAILURE, INVALID, SUCCESS, RESERVED } = PRI_RESPONSE;
    expect([FAILURE, INVALID, SUCCESS].map((Resp) => response({ Resp, PRGIndex: 0x1ff }))).toEqual(
      Array.from({ length: 3 }, () => 'none'),
    );
    expect(response({ Resp: RESERVED })).toBe('illegal');
    expect(response({ Resp: SUCCESS }, { pri: false })).toBe('illegal');
  });

  it('CMD_RESUME and CMD_STALL_TERM need the stall model (§4.7.1, §4.7.2)', () => {
    const resume = encode(COMMAND_RESUME, { Opcode: OPCODE.RESUME, StreamID: 1, STAG: 7, Ac: 1 });
    const terminate = encode(COMMAND_STALL_TERM, { Opcode: OPCODE.STALL_TERM, StreamID: 1 });
    for (const [stallModel, kind] of [
      [0, 'none'],
      [1, 'illegal'],
      [2, 'none'],
    ] as const)
      expect([resume, terminate].map((lanes) => decode(lanes, { stallModel }).kind)).toEqual([kind, kind]);
  });
});
