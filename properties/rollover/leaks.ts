import type { Machine } from '../../engine/machine.ts';
import { ctxid2asid, type Arm64Context, type Arm64Mm, type Arm64Sched } from '../../impl/kernel/arm64/index.ts';
import type { RolloverContract } from './contract.ts';
import type { Processes } from './processes.ts';

/** What is looked at. */
interface Parts {
  readonly contract: RolloverContract;
  readonly context: Arm64Context;
  readonly sched: Arm64Sched;
  readonly processes: Processes;
  readonly mms: readonly Arm64Mm[];
  /** How many devices use a process. */
  readonly usersOf: (mm: number) => number;
}

/** When nobody is in the middle of anything: what nobody uses any more has been given back. */
export function checkLeaks(machine: Machine, { contract, context, sched, processes, mms, usersOf }: Parts): void {
  const leak = (kind: string, message: string): void =>
    machine.fail({ monitor: 'safety', rule: 'leak', message: `${message}.`, data: { kind } });
  const pinned = mms.filter((mm) => mm.pinned.peek(0) > 0);
  const due = pinned.reduce((bits, { id }) => bits | (1 << ctxid2asid(id.peek(0))), 0);
  const { count, bits } = context.pinnedAsids;
  if (count !== pinned.length)
    leak('pin', `${count} ASIDs count as pinned, but devices use ${pinned.length} processes`);
  else if (bits !== due) leak('pin', 'pinned_asid_map has other ASIDs than those that devices use');
  for (const [index, mm] of mms.entries()) {
    const [pins, users] = [mm.pinned.peek(0), usersOf(index)];
    if (pins !== users) leak('pin', `The ASID of ${mm.name} is pinned ${pins} times for ${users} devices`);
    if (contract.hasPage(index, 'unmapping')) leak('page', `A page of ${mm.name} is unmapped, and was not freed`);
    if (processes.isThere(index)) continue;
    if (processes.isEnding(index) && !sched.isBorrowed(mm))
      leak('mm', `${mm.name} is gone, and its top-level table is not free`);
    if (contract.hasPage(index, 'mapped')) leak('page', `${mm.name} is gone, and a page of it is mapped`);
    if (processes.hasTable(index)) leak('table', `${mm.name} is gone, and a table of it is not free`);
  }
}
