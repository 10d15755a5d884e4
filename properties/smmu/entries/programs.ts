import type fc from 'fast-check';
import type { Operation, Program } from '../../family.ts';
import { arbitraryOf } from '../../generate/arbitrary.ts';
import { Deal } from '../../generate/deal.ts';
import { contentsOf, type EntriesConfiguration, type UpdateOperation } from './configuration.ts';

const OPERATIONS_MAX = 4;
const CPUS = 2;

/** Random programs: one to four updates, on one or two CPUs. */
export function programs({ subject }: EntriesConfiguration): fc.Arbitrary<Program> {
  const contents = contentsOf(subject).length;
  return arbitraryOf((draw) => {
    const deal = new Deal();
    draw.list(1, OPERATIONS_MAX, () => {
      const cpu = draw.below(CPUS);
      const operation: UpdateOperation = { op: 'update', to: draw.below(contents) };
      if (!deal.giveCpu(cpu, operation)) draw.duplicate();
    });
    return deal.program();
  });
}

/** Every update. */
export function alphabet({ subject }: EntriesConfiguration): UpdateOperation[] {
  return contentsOf(subject).map((_, to) => ({ op: 'update', to }));
}

/** The same update to a content earlier in the list: the simplest come first. */
export function simplify(operation: Operation): readonly Operation[] {
  const { to } = operation;
  return typeof to === 'number' ? Array.from({ length: to }, (_, simpler) => ({ ...operation, to: simpler })) : [];
}
