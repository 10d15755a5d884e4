/** Encodes the commands of a program (IHI 0070 §4). */
import {
  CFGI_RANGE_ALL,
  COMMAND,
  COMMAND_CFGI,
  COMMAND_CFGI_STE_RANGE,
  COMMAND_SYNC,
  COMMAND_TLBI,
  encode,
  OPCODE,
} from '../../model/architecture/arm/layout/index.ts';
import { match, P } from 'ts-pattern';
import type { FieldValues } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration, Context, Guest } from './configuration.ts';
import { guestPageIpa, guestsOf } from './guest.ts';
import { illegalOpcodes } from './operation.ts';
import type { CommandOperation, RangeHint } from './operation.ts';
import { streamIdOf } from './world.ts';

/** Address argument of an invalidation by address: the page's input address without tag, its low bits cleared. */
export const invalidationAddress = (
  configuration: ConformanceConfiguration,
  command: { page: number; half: 0 | 1; alignBits: number; range?: RangeHint },
): number => {
  const unit = 2 ** command.alignBits;
  const offset = configuration.pages[command.page] as number;
  // A multiple of 4 KiB is exact as a number over all 64 bits.
  const address = command.half === 0 ? offset : 2 ** 64 - 2 ** configuration.vaBits + offset;
  // Minimising may have moved the page down.
  const before = Math.min(command.range?.before ?? 0, Math.floor(offset / unit));
  return (Math.floor(address / unit) - before) * unit;
};

/** IPA argument of an invalidation by IPA, its low bits cleared. */
export const invalidationIpa = (
  configuration: ConformanceConfiguration,
  { ipa, alignBits, range }: { ipa: number; alignBits: number; range?: RangeHint },
): number =>
  Math.max(0, Math.floor(guestPageIpa(configuration, ipa) / 2 ** alignBits) - (range?.before ?? 0)) * 2 ** alignBits;

const rangeFields = (range: RangeHint | undefined): FieldValues<typeof COMMAND_TLBI> =>
  range === undefined ? {} : { TG: range.granule, Num: range.num, Scale: range.scale, TTL: range.level };

/** CMD_SYNC without a completion signal: the consumer index says when it is complete. */
export const syncCommand = (): number[] => encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC });

/** Lanes of a command. */
export const buildCommand = (configuration: ConformanceConfiguration, command: CommandOperation): number[] => {
  const vmid = (context: number): number => (configuration.contexts[context] as Context).vmid;
  const asid = (context: number): number => (configuration.contexts[context] as Context).asid;
  const Opcode = OPCODE[command.opcode as keyof typeof OPCODE];
  return match(command)
    .with({ opcode: 'CFGI_STE' }, ({ stream, leaf }) =>
      encode(COMMAND_CFGI, {
        Opcode,
        StreamID: streamIdOf(configuration.devices[stream] as number),
        Leaf: leaf ? 1 : 0,
      }),
    )
    .with({ opcode: 'CFGI_STE_RANGE' }, ({ stream, range }) =>
      encode(COMMAND_CFGI_STE_RANGE, {
        Opcode,
        StreamID: streamIdOf(configuration.devices[stream] as number),
        Range: range,
      }),
    )
    .with({ opcode: 'CFGI_ALL' }, () =>
      encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: CFGI_RANGE_ALL }),
    )
    .with({ opcode: 'CFGI_CD' }, ({ stream, leaf }) =>
      encode(COMMAND_CFGI, {
        Opcode,
        StreamID: streamIdOf(configuration.devices[stream] as number),
        Leaf: leaf ? 1 : 0,
      }),
    )
    .with({ opcode: 'CFGI_CD_ALL' }, ({ stream }) =>
      encode(COMMAND_CFGI, { Opcode, StreamID: streamIdOf(configuration.devices[stream] as number) }),
    )
    .with({ opcode: 'TLBI_NH_ALL' }, { opcode: 'TLBI_S12_VMALL' }, ({ vmidOf }) =>
      encode(COMMAND_TLBI, { Opcode, VMID: vmid(vmidOf) }),
    )
    .with({ opcode: 'TLBI_NH_ASID' }, ({ vmidOf, asidOf }) =>
      encode(COMMAND_TLBI, { Opcode, VMID: vmid(vmidOf), ASID: asid(asidOf) }),
    )
    .with({ opcode: 'TLBI_NH_VA' }, { opcode: 'TLBI_NH_VAA' }, (by) =>
      encode(COMMAND_TLBI, {
        Opcode,
        VMID: vmid(by.vmidOf),
        ASID: by.opcode === 'TLBI_NH_VA' ? asid(by.asidOf) : 0,
        Address: invalidationAddress(configuration, by),
        Leaf: by.leaf ? 1 : 0,
        ...rangeFields(by.range),
      }),
    )
    .with({ opcode: 'TLBI_S2_IPA' }, (by) =>
      encode(COMMAND_TLBI, {
        Opcode,
        VMID: (guestsOf(configuration)[by.guest] as Guest).vmid,
        Address: invalidationIpa(configuration, by),
        Leaf: by.leaf ? 1 : 0,
        ...rangeFields(by.range),
      }),
    )
    .with({ opcode: 'TLBI_NSNH_ALL' }, () => encode(COMMAND_TLBI, { Opcode }))
    .with({ opcode: 'PREFETCH_CONFIG' }, ({ stream }) =>
      encode(COMMAND_CFGI, { Opcode, StreamID: streamIdOf(configuration.devices[stream] as number) }),
    )
    .with({ opcode: 'RESERVED' }, () => encode(COMMAND, { Opcode: 0xff }))
    .with({ opcode: P.union(...illegalOpcodes) }, () => encode(COMMAND, { Opcode }))
    .exhaustive();
};
