import type { IopfKernel } from '../../impl/kernel/iopf/index.ts';

/** What is left of processes when nothing runs any more, and nobody will ever find: in words. */
export function findLifeLeak({ life, handles }: IopfKernel): string | undefined {
  if (life === undefined) return undefined;
  const found = new Set(life.mms.live().map((mm) => life.mms.at(mm).domain.value));
  const lost = life.domains.live().find((domain) => !found.has(domain));
  if (lost !== undefined) return `sva_domain${lost - 1} is allocated, and no process has it.`;
  const ended = life.mms
    .live()
    .find((mm) => life.mms.at(mm).mm_users.value === 0 && life.mms.at(mm).domain.value === 0);
  if (ended !== undefined)
    return `mm${ended - 1} is allocated, nobody uses its address space, and nothing is bound to it.`;
  const held = new Set(
    life.processes.flatMap(({ bonds, handles: sva }) =>
      bonds.map((count, device) => (count.value > 0 ? (sva[device]?.value ?? 0) : 0)),
    ),
  );
  const bond = handles.live().find((handle) => !held.has(handle));
  return bond === undefined ? undefined : `handle${bond - 1} is a bond that no process has.`;
}
