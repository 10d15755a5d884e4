import type fc from 'fast-check';
import type { Configuration, Program } from '../family.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import type { Weighted } from '../generate/draw.ts';
import {
  applies,
  everyOperation,
  ioasidConfiguration,
  type IoasidConfiguration,
  type IoasidOperation,
} from './configuration.ts';

const OPERATIONS_MIN = 3;
const OPERATIONS_MAX = 10;
const CPUS = 3;

/** How often each kind of operation, and how often it is what an owner has not done yet. */
const WEIGHTS: Readonly<Record<IoasidOperation['op'], number>> = {
  open: 1,
  close: 2,
  alloc: 8,
  free: 5,
  exit: 2,
  find: 2,
  bind: 8,
  unbind: 5,
  failNth: 2,
  adjust: 2,
  freeAll: 8,
  attachSpid: 4,
  findSpid: 4,
  register: 9,
  unregister: 6,
  registerAllocator: 6,
  unregisterAllocator: 6,
  remove: 8,
  probe: 3,
};
/** How much more likely the next step of an owner's life is than another operation. */
const NEXT_WEIGHT = 6;

/** Random programs: the lives of numbers, dealt out to CPUs. */
export function programs(configuration: Configuration): fc.Arbitrary<Program> {
  const known = ioasidConfiguration(configuration);
  const all = alphabet(known);
  return arbitraryOf((draw) => {
    const deal = new Deal();
    const life = lifeOf(known);
    const stages = [0, 0];
    draw.list(OPERATIONS_MIN, OPERATIONS_MAX, () => {
      const options = all.map((operation): Weighted<IoasidOperation> => [weight(operation, life, stages), operation]);
      const operation = draw.weighted(options);
      advance(operation, life, stages);
      if (!deal.giveCpu(draw.below(CPUS), operation)) draw.duplicate();
    });
    return deal.program();
  });
}

type Life = readonly IoasidOperation['op'][];

/** What an owner does next: it allocates, binds, frees; and what its machine makes possible. */
function lifeOf({ sets, chains }: IoasidConfiguration): Life {
  if (sets) return ['alloc', 'attachSpid', 'findSpid', 'bind', 'free'];
  return chains ? ['alloc', 'bind', 'unregister', 'register', 'free'] : ['alloc', 'bind', 'free'];
}

function weight(operation: IoasidOperation, life: Life, stages: readonly number[]): number {
  const base = WEIGHTS[operation.op];
  if (!('owner' in operation)) return base;
  return operation.op === life[stages[operation.owner] ?? 0] ? base * NEXT_WEIGHT : base;
}

function advance(operation: IoasidOperation, life: Life, stages: number[]): void {
  if (!('owner' in operation)) return;
  const { op, owner } = operation;
  if (op === life[stages[owner] ?? 0]) stages[owner] = ((stages[owner] ?? 0) + 1) % life.length;
  else if (op === 'close' || op === 'exit') stages[owner] = 0;
}

/** Every operation. */
export function alphabet(configuration: Configuration): IoasidOperation[] {
  const known = ioasidConfiguration(configuration);
  return everyOperation().filter(
    (operation) => applies(operation, known) && (operation.op !== 'failNth' || operation.nth <= allocationsOf(known)),
  );
}

/** Most allocations of one operation: the data of a number and its place in the set; the hypervisor's answer before. */
function allocationsOf({ custom }: IoasidConfiguration): number {
  return custom ? 3 : 2;
}
