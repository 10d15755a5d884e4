import type { Failure } from '../../engine/failure.ts';
import type { IoasidKernel } from '../../impl/kernel/ioasid/index.ts';

/** What is left over when nothing runs any more, where uses of numbers are counted. */
export function findLeak({ datas, sets, numbers, available, layout, allocators }: IoasidKernel): Failure | undefined {
  const known = new Set(numbers.map((cell) => cell.value));
  const lost = datas.live().find((handle) => !known.has(handle));
  if (lost !== undefined) return leak('ioasid', `ioasid${lost - 1} is allocated, and no number leads to it.`);
  const open = sets.live().map((handle) => sets.at(handle));
  const closed = open.find((set) => set.open.value === 0 && set.count.value === 0);
  if (closed !== undefined) return leak('set', `${closed.name} is closed and has no number, and was not freed.`);
  const taken = open.reduce((sum, set) => sum + set.quota.value, 0);
  if (taken + available.value !== layout.pasids)
    return leak('quota', `Sets have ${taken} numbers and ${available.value} are left, of ${layout.pasids}.`);
  const granted = numbers.findIndex((cell, id) => cell.value === 0 && (allocators.granted & (1 << id)) !== 0);
  if (granted >= 0) return leak('grant', `The hypervisor has given PASID ${granted}, and nobody has it.`);
  const pending = datas
    .live()
    .map((handle) => datas.at(handle))
    .find((data) => data.state.value === 2);
  if (pending !== undefined) return leak('ioasid', `${pending.name} is free pending for ever: it has references.`);
  return undefined;
}

function leak(kind: string, message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind } };
}
