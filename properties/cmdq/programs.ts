import type fc from 'fast-check';
import type { Program } from '../family.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import { BATCH_MAX, WORD_BITS, type CmdqOperation } from './configuration.ts';

const OPERATIONS_MAX = 6;
/** How likely each CPU gets an operation. */
const CPU_WEIGHTS = [3, 3, 1] as const;

/** Random programs: lists and batches on one to three CPUs, or (now and then) events. */
export function programs(): fc.Arbitrary<Program> {
  return arbitraryOf((draw) => {
    const deal = new Deal();
    const events = draw.below(8) === 0;
    draw.list(1, OPERATIONS_MAX, () => {
      if (events) {
        deal.give('dev0', { op: 'event' });
        return;
      }
      const cpu = draw.weighted(CPU_WEIGHTS.map((weight, index) => [weight, index]));
      const options: [number, CmdqOperation][] = [
        ...lists().map((operation): [number, CmdqOperation] => [2, operation]),
        ...batches().map((operation): [number, CmdqOperation] => [1, operation]),
      ];
      if (!deal.giveCpu(cpu, draw.weighted(options))) draw.duplicate();
    });
    return deal.program();
  });
}

/** Every operation. */
export function alphabet(): CmdqOperation[] {
  return [...lists(), ...batches()];
}

function lists(): CmdqOperation[] {
  return [true, false].flatMap((sync) =>
    Array.from({ length: WORD_BITS }, (_, at): CmdqOperation => ({ op: 'issue', commands: at + 1, sync })),
  );
}

/** Batches of one list are lists with a CMD_SYNC, so those of more remain. */
function batches(): CmdqOperation[] {
  return Array.from({ length: BATCH_MAX - WORD_BITS }, (_, at) => ({ op: 'batch', commands: WORD_BITS + 1 + at }));
}
