/** Operations of a program in words, one line each, for reports. */
import { match, P } from 'ts-pattern';
import type { ConformanceConfiguration, Context, Guest, Tree } from './configuration.ts';
import { illegalOpcodes } from './operation.ts';
import type { CommandOperation, EntryPlace, Operation, RangeHint } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { invalidationAddress, invalidationIpa } from './commands.ts';
import { guestsOf } from './guest.ts';
import { renderGuestOperation, renderGuests } from './render-guest.ts';
import { overflowLog2, overflowWrites } from './set-up.ts';
import {
  absentAddress,
  entryAddress,
  inputAddress,
  isBridged,
  isRocker,
  outOfRangeAddress,
  streamIdOf,
  targetAddress,
} from './world.ts';

const hex = (value: number): string => `0x${value.toString(16)}`;

const addressText = ({ low, high }: { low: number; high: number }): string =>
  high === 0 ? hex(low) : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;

const streamText = (configuration: ConformanceConfiguration, stream: number): string => {
  const device = configuration.devices[stream] as number;
  const bridge = isBridged(device) ? ' behind a bridge' : '';
  return `${isRocker(device) ? 'rocker' : 'edu'} (StreamID ${hex(streamIdOf(device))}${bridge})`;
};

const placeText = (configuration: ConformanceConfiguration, place: EntryPlace): string => {
  const tree = configuration.trees[place.tree] as Tree;
  const page = inputAddress(configuration, { page: place.page, half: tree.half });
  const address = entryAddress(configuration, place);
  const at = tree.guest === true ? `IPA ${hex(address)}${place.twin === true ? ', twin' : ''}` : `at ${hex(address)}`;
  return `level ${place.level} entry of ${addressText({ ...page, low: (page.low & ~0xfff) >>> 0 })} (${at})`;
};

const apText = (ap: number): string =>
  ['privileged read-write', 'read-write', 'privileged read-only', 'read-only'][ap] as string;

const tagsText = (configuration: ConformanceConfiguration, vmidOf: number, asidOf?: number): string => {
  const vmid = `VMID ${(configuration.contexts[vmidOf] as Context).vmid}`;
  return asidOf === undefined ? vmid : `${vmid}, ASID ${(configuration.contexts[asidOf] as Context).asid}`;
};

const rangeText = (range: RangeHint | undefined): string =>
  range === undefined ? '' : `, TG ${range.granule}, NUM ${range.num}, SCALE ${range.scale}, TTL ${range.level}`;

const commandText = (configuration: ConformanceConfiguration, command: CommandOperation): string =>
  match(command)
    .with(
      { opcode: 'CFGI_STE' },
      { opcode: 'CFGI_CD' },
      (c) => `${streamText(configuration, c.stream)}${c.leaf ? ', leaf' : ''}`,
    )
    .with({ opcode: 'CFGI_STE_RANGE' }, (c) => `${streamText(configuration, c.stream)}, range ${c.range}`)
    .with({ opcode: P.union('CFGI_CD_ALL', 'PREFETCH_CONFIG') }, (c) => streamText(configuration, c.stream))
    .with({ opcode: 'TLBI_NH_ALL' }, { opcode: 'TLBI_S12_VMALL' }, (c) => tagsText(configuration, c.vmidOf))
    .with({ opcode: 'TLBI_NH_ASID' }, (c) => tagsText(configuration, c.vmidOf, c.asidOf))
    .with({ opcode: 'TLBI_NH_VA' }, { opcode: 'TLBI_NH_VAA' }, (c) => {
      const tags = tagsText(configuration, c.vmidOf, c.opcode === 'TLBI_NH_VA' ? c.asidOf : undefined);
      return `${tags}, address ${hex(invalidationAddress(configuration, c))}${rangeText(c.range)}${c.leaf ? ', leaf' : ''}`;
    })
    .with({ opcode: 'TLBI_S2_IPA' }, (c) => {
      const { vmid } = guestsOf(configuration)[c.guest] as Guest;
      return `VMID ${vmid}, IPA ${hex(invalidationIpa(configuration, c))}${rangeText(c.range)}${c.leaf ? ', leaf' : ''}`;
    })
    .with({ opcode: P.union('CFGI_ALL', 'TLBI_NSNH_ALL', ...illegalOpcodes) }, () => '')
    .exhaustive();

const leafText = (configuration: ConformanceConfiguration, leaf: Extract<Operation, { kind: 'leaf' }>): string => {
  const tree = configuration.trees[leaf.place.tree] as Tree;
  const output =
    leaf.target === 'out-of-range'
      ? outOfRangeAddress
      : leaf.target === 'absent'
        ? absentAddress
        : targetAddress(tree, leaf.place.level, leaf.target);
  const notes = [
    apText(leaf.ap),
    ...(leaf.global ? ['global'] : []),
    ...(leaf.accessFlag ? [] : ['AF clear']),
    ...(leaf.contiguous ? ['contiguous group'] : []),
  ];
  return `${placeText(configuration, leaf.place)} := ${leaf.place.level === 3 ? 'page' : 'block'} ${hex(output)}, ${notes.join(', ')}`;
};

/** One operation in words. */
export const renderOperation = (configuration: ConformanceConfiguration, operation: Operation): string =>
  match(operation)
    .with({ kind: 'ste' }, ({ stream, context, form, stage1Off }) => {
      const { guest } = configuration.contexts[context] as Context;
      const stages =
        guest === undefined ? '' : stage1Off === true ? ` (guest ${guest}, stage 2 only)` : ` in guest ${guest}`;
      const what =
        form === 'translate'
          ? `translate by context ${context}${stages}`
          : form === 'bypass' || form === 'abort'
            ? form
            : `${form} (context ${context})${stages}`;
      return `STE of ${streamText(configuration, stream)} := ${what}`;
    })
    .with({ kind: 'cd' }, ({ context, form, copy, twin }) => {
      const { asid } = configuration.contexts[context] as Context;
      return `CD of context ${context} := ${form}, ASID ${asid}${copy === 0 ? '' : ', other root table'}${twin === true ? ', twin' : ''}`;
    })
    .with({ kind: 'stream-table' }, ({ form, stream }) => {
      const of = stream === undefined ? '' : ` of ${streamText(configuration, stream)}`;
      return `level 1 stream table descriptor${of} := ${form}`;
    })
    .with({ kind: 's2-leaf' }, { kind: 's2-table' }, { kind: 's2-clear' }, (entry) =>
      renderGuestOperation(configuration, entry),
    )
    .with(
      { kind: 'stream-format' },
      ({ twoLevel }) => `stream table (translation off meanwhile) := ${twoLevel ? 'two-level' : 'linear'}`,
    )
    .with({ kind: 'table' }, ({ place, to, apTable }) => {
      const next =
        typeof to === 'number' ? `table${to === 0 ? '' : ' (other copy)'}` : `table at an address that is ${to}`;
      return `${placeText(configuration, place)} := ${next}${apTable === 0 ? '' : `, APTable ${apTable}`}`;
    })
    .with({ kind: 'leaf' }, (leaf) => leafText(configuration, leaf))
    .with(
      { kind: 'clear' },
      ({ place, garbage, contiguous }) =>
        `${placeText(configuration, place)} := invalid${garbage ? ' (other bits set)' : ''}${contiguous ? ', contiguous group' : ''}`,
    )
    .with({ kind: 'command' }, ({ command, sync }) => {
      const text = commandText(configuration, command);
      return `CMD_${command.opcode}${text === '' ? '' : ` ${text}`}${sync ? '; CMD_SYNC' : ''}`;
    })
    .with(
      { kind: 'enable' },
      ({ on, abort }) => `translation ${on ? 'on' : 'off'} (CR0.SMMUEN)${abort === true ? ', GBPA.ABORT set' : ''}`,
    )
    .with(
      { kind: 'overflow' },
      ({ stream }) =>
        `event queue of ${2 ** overflowLog2} entries, ${overflowWrites} writes with a bad StreamID by ${streamText(configuration, stream)}`,
    )
    .with({ kind: 'access' }, (access) => {
      const what = { read: 'reads', write: 'writes', swap: 'reads, then writes' }[access.access];
      return `${streamText(configuration, access.stream)} ${what} ${addressText(inputAddress(configuration, access))}`;
    })
    .exhaustive();

/** The parts of a configuration that matter to a reader: trees and contexts, one line each. */
export const renderConfiguration = ({ configuration }: ConformanceProgram): string[] => [
  ...configuration.trees.map(
    ({ granule, inputBits, half, guest }, index) =>
      `tree ${index}: ${2 ** (granule - 10)} KiB granule, ${inputBits} bits, TTBR${half}${guest === true ? ', in a guest' : ''}`,
  ),
  ...renderGuests(configuration),
  ...configuration.contexts.map((context, index) => {
    const notes = [
      ...(context.high === undefined ? [] : [`TTBR1 tree ${context.high}`]),
      ...(context.topByteIgnore === 0 ? [] : ['top byte ignored']),
      ...(context.hierarchyDisabled ? ['hierarchical permissions disabled'] : []),
      ...(context.accessFlagFaultDisabled ? ['AFFD'] : []),
      ...(context.addressSize === 5 ? [] : [`IPS ${context.addressSize}`]),
      ...(context.guest === undefined ? [] : [`guest ${context.guest}`]),
    ];
    const text = `context ${index}: VMID ${context.vmid}, ASID ${context.asid}, TTBR0 tree ${context.low}`;
    return notes.length === 0 ? text : `${text}, ${notes.join(', ')}`;
  }),
  ...(configuration.twoLevelStreams ? ['two-level stream table'] : []),
  ...(configuration.shortStreamTable ? ['linear stream table of 32 entries'] : []),
  ...(configuration.recordBadStreamId ? [] : ['CR2.RECINVSID clear']),
];
