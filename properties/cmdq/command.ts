import { COMMAND_SYNC, COMMAND_TLBI, encode, OPCODE, read } from '../../model/architecture/arm/layout/index.ts';
import type { Command } from '../../impl/kernel/cmdq.ts';

/** Who a command is from, and where it stands. */
export interface CommandName {
  /** Agent that issued it. */
  readonly cpu: number;
  /** Number among the commands of its CPU, from 1; CMD_SYNCs do not count. */
  readonly sequence: number;
  /** First and last command of its list, the CMD_SYNC apart, and whether one follows the last. */
  readonly first: boolean;
  readonly last: boolean;
  readonly sync: boolean;
}

const CPU_SHIFT = 8;
const FLAGS_SHIFT = 12;

/** A command that carries its name: a TLB invalidation whose ASID and address say who it is. */
export function commandOf(name: CommandName): Command {
  const flags = (name.first ? 1 : 0) | (name.last ? 2 : 0) | (name.sync ? 4 : 0);
  const asid = name.sequence | (name.cpu << CPU_SHIFT) | (flags << FLAGS_SHIFT);
  // The second word repeats it: an entry of which only one word has arrived is told from a whole one.
  const lanes = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VA, ASID: asid, Address: asid * 0x1000 });
  return { label: `command ${name.sequence} of CPU${name.cpu}`, lanes };
}

/** What an entry holds, as the SMMU sees it. */
export type Fetched =
  | { readonly kind: 'command'; readonly name: CommandName }
  | { readonly kind: 'sync'; readonly msiAddress: number }
  | { readonly kind: 'nothing' };

/** Reads an entry. */
export function fetched(lanes: readonly number[]): Fetched {
  const opcode = read(COMMAND_TLBI.fields.Opcode, lanes);
  if (opcode === OPCODE.SYNC) return { kind: 'sync', msiAddress: read(COMMAND_SYNC.fields.MSIAddress, lanes) };
  const asid = read(COMMAND_TLBI.fields.ASID, lanes);
  if (opcode !== OPCODE.TLBI_NH_VA || read(COMMAND_TLBI.fields.Address, lanes) !== asid * 0x1000)
    return { kind: 'nothing' };
  const flags = asid >>> FLAGS_SHIFT;
  const cpu = (asid >>> CPU_SHIFT) & 0xf;
  const name = {
    cpu,
    sequence: asid & 0xff,
    first: (flags & 1) === 1,
    last: (flags & 2) === 2,
    sync: (flags & 4) === 4,
  };
  return { kind: 'command', name };
}

/** CMD_SYNC, with a write to its own entry if that is what is polled. */
export function syncCommand(msiAddress: number | undefined): Command {
  const values = msiAddress === undefined ? {} : { CS: 1, MSIAddress: msiAddress };
  return { label: 'CMD_SYNC', lanes: encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC, ...values }) };
}
