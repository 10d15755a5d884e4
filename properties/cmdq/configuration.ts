import fc from 'fast-check';
import type { Configuration, Operation } from '../family.ts';

/** The queue that a program uses. */
export interface CmdqConfiguration extends Configuration {
  /** log2 of the number of entries, 2 or 3. */
  readonly log2Entries: number;
  /** Where PROD and CONS stand at the start, below twice the number of entries: as if the queue had been used before. */
  readonly start: number;
  /** CMD_SYNC is completed by a write into its own entry. */
  readonly msi: boolean;
  /** Stores that each CPU may have pending, 1 to 3; 0: every store is in memory at once. */
  readonly weak: number;
}

/** What programs do. CPUs put commands into the command queue, the SMMU puts events into the event queue. */
export type CmdqOperation =
  | { readonly op: 'issue'; readonly commands: number; readonly sync: boolean }
  | { readonly op: 'batch'; readonly commands: number }
  | { readonly op: 'event' };

/** Entries for each word of the valid map, and most commands of a list. */
export const WORD_BITS = 2;
/** Most pending stores of a CPU: what it stores in front of a command, and the two words of that. */
const WEAK_MAX = 3;
/** Most commands of a batch: three lists. */
export const BATCH_MAX = 5;

/** The plain queue: four entries, used for the first time. */
export const PLAIN: CmdqConfiguration = { log2Entries: 2, start: 0, msi: false, weak: 0 };

/** Random queues. */
export const configurations: fc.Arbitrary<CmdqConfiguration> = fc
  .record({
    log2Entries: fc.constantFrom(2, 2, 3),
    start: fc.nat({ max: 15 }),
    msi: fc.constantFrom(false, false, true),
    weak: fc.constantFrom(0, 0, 1, 2, 3),
  })
  .map((drawn) => ({ ...drawn, start: drawn.start % (2 * 2 ** drawn.log2Entries) }));

/** Configurations with one more field as in `PLAIN`; the plainest first. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  const known = cmdqConfiguration(configuration);
  const smaller = known.weak > 1 ? [{ ...known, weak: known.weak - 1 }] : [];
  const others = Object.entries(PLAIN)
    .filter(([field, value]) => known[field] !== value)
    .map(([field, value]) => ({ ...known, [field]: value }))
    .filter(({ log2Entries, start }) => start < 2 * 2 ** log2Entries);
  return [...others, ...smaller];
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function cmdqConfiguration(configuration: Configuration): CmdqConfiguration {
  for (const [field, value] of Object.entries(PLAIN))
    if (typeof configuration[field] !== typeof value)
      throw new RangeError(`configuration of family cmdq: "${field}" must be a ${typeof value}`);
  for (const field of Object.keys(configuration))
    if (!(field in PLAIN)) throw new RangeError(`configuration of family cmdq: there is no "${field}"`);
  const known = configuration as CmdqConfiguration;
  if (known.log2Entries !== 2 && known.log2Entries !== 3)
    throw new RangeError('configuration of family cmdq: "log2Entries" is 2 or 3');
  if (!isWithin(known.start, 0, 2 * 2 ** known.log2Entries - 1))
    throw new RangeError('configuration of family cmdq: "start" is below twice the number of entries');
  if (!isWithin(known.weak, 0, WEAK_MAX))
    throw new RangeError(`configuration of family cmdq: "weak" is 0 to ${WEAK_MAX}`);
  return known;
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function cmdqOperation(operation: Operation): CmdqOperation {
  const { op, commands, sync } = operation;
  if (op === 'event') return { op };
  if (op !== 'issue' && op !== 'batch')
    throw new RangeError(`family cmdq has no operation "${op}"; it has issue, batch, event`);
  const most = op === 'issue' ? WORD_BITS : BATCH_MAX;
  if (!isWithin(commands, 1, most)) throw new RangeError(`operation ${op}: "commands" must be 1 to ${most}`);
  if (op === 'batch') return { op, commands };
  if (typeof sync !== 'boolean') throw new RangeError('operation issue: "sync" must be true or false');
  return { op, commands, sync };
}

/** How a report shows an operation. */
export function describe(operation: CmdqOperation): string {
  switch (operation.op) {
    case 'issue':
      return `issue(${operation.commands}${operation.sync ? ' + CMD_SYNC' : ''})`;
    case 'batch':
      return `batch(${operation.commands})`;
    case 'event':
      return 'event';
  }
}

/** The same with fewer commands, or without waiting. */
export function simplify(operation: Operation): readonly Operation[] {
  const known = cmdqOperation(operation);
  if (known.op === 'event') return [];
  const fewer = Array.from({ length: known.commands - 1 }, (_, at) => ({ ...known, commands: at + 1 }));
  return known.op === 'issue' && known.sync ? [...fewer, { ...known, sync: false }] : fewer;
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
