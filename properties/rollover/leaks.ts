import type { Machine } from '../../engine/machine.ts';
import type { Arm64Context, Arm64Mm, Arm64Sched } from '../../impl/kernel/arm64/index.ts';
import type { RolloverContract } from './contract.ts';
import type { Processes } from './processes.ts';

/** What is looked at. */
interface Parts {
  readonly contract: RolloverContract;
  readonly context: Arm64Context;
  readonly sched: Arm64Sched;
  readonly processes: Processes;
  readonly mms: readonly Arm64Mm[];
}

/** When nobody is in the middle of anything: what nobody uses any more has been given back. */
export function checkLeaks(machine: Machine, { contract, context, sched, processes, mms }: Parts): void {
  const leak = (kind: string, message: string): void =>
    machine.fail({ monitor: 'safety', rule: 'leak', message: `${message}.`, data: { kind } });
  const pinned = mms.filter((mm) => mm.pinned.peek(0) > 0).length;
  if (context.pinnedAsids !== pinned)
    leak('pin', `${context.pinnedAsids} ASIDs count as pinned, but devices use ${pinned} processes`);
  for (const [index, mm] of mms.entries()) {
    if (contract.hasPage(index, 'unmapping')) leak('page', `A page of ${mm.name} is unmapped, and was not freed`);
    if (processes.isThere(index)) continue;
    if (processes.isEnding(index) && !sched.isBorrowed(mm))
      leak('mm', `${mm.name} is gone, and its top-level table is not free`);
    if (contract.hasPage(index, 'mapped')) leak('page', `${mm.name} is gone, and a page of it is mapped`);
    if (processes.hasTable(index)) leak('table', `${mm.name} is gone, and a table of it is not free`);
  }
}
