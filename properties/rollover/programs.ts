import type fc from 'fast-check';
import type { Configuration, Program } from '../family.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import type { Draw, Weighted } from '../generate/draw.ts';
import { rolloverConfiguration, type RolloverConfiguration, type RolloverOperation } from './configuration.ts';
import { Sketch } from './sketch.ts';

const OPERATIONS_MIN = 3;
const OPERATIONS_MAX = 14;

/** How often each kind of operation. */
type Weights = Readonly<Record<RolloverOperation['op'], number>>;

/** One program out of several is about pages, about roll-overs alone, about devices, about processes, about tables. */
const NONE: Weights = {
  switch: 0,
  idle: 0,
  lazy: 0,
  unmap: 0,
  map: 0,
  munmap: 0,
  pin: 0,
  unpin: 0,
  fork: 0,
  exec: 0,
  exit: 0,
};
const PAGES: Weights = { ...NONE, switch: 12, idle: 1, unmap: 3, map: 1 };
const SWITCHES: Weights = { ...NONE, switch: 20, idle: 1, unmap: 1 };
const DEVICES: Weights = { ...NONE, switch: 16, unmap: 1, pin: 4, unpin: 3, fork: 12 };
/** Many processes that devices use. */
const PINS: Weights = { ...NONE, switch: 12, pin: 8, unpin: 1 };
const PROCESSES: Weights = { ...NONE, switch: 14, lazy: 3, fork: 3, exec: 3, exit: 4, unmap: 1 };
const RANGES: Weights = { ...NONE, switch: 8, lazy: 2, munmap: 4, map: 2, unmap: 1, fork: 1, exit: 2 };
/** How much more likely the process that a program is about is switched to than another one. */
const FOCUS_WEIGHT = 2;

/** How much busier one CPU is in every other program: those that hardly switch keep what they have for long. */
const BUSY_WEIGHT = 6;

/**
 * Random programs: mostly context switches, so that the few ASIDs go round, with one process that is switched to more often
 * than the others, and that devices use; later its child is.
 */
export function programs(configuration: Configuration): fc.Arbitrary<Program> {
  const known = rolloverConfiguration(configuration);
  return arbitraryOf((draw) => {
    const deal = new Deal();
    const sketch = new Sketch(known);
    const weights = draw.weighted([
      [2, PAGES],
      [2, SWITCHES],
      [sketch.pinsMax > 0 ? 5 : 0, DEVICES],
      [sketch.pinsMax > 0 ? 1 : 0, PINS],
      [2, PROCESSES],
      [known.levels > 1 || known.pages > 1 ? 2 : 0, RANGES],
    ]);
    let focus = draw.below(known.mms);
    const inTurn = draw.below(2) === 0;
    const busy = draw.weighted([
      [1, 1],
      [1, BUSY_WEIGHT],
    ]);
    const cpus = Array.from({ length: known.cpus }, (_, cpu): Weighted<number> => [cpu === 0 ? busy : 1, cpu]);
    draw.list(OPERATIONS_MIN, OPERATIONS_MAX, () => {
      const cpu = draw.weighted(cpus);
      const next = operation(draw, { cpu, focus, weights, sketch, inTurn }, known);
      sketch.add(cpu, next);
      if (next.op === 'fork') focus = next.mm;
      if (!deal.giveCpu(cpu, next)) draw.duplicate();
    });
    return deal.program();
  });
}

/** What the next operation depends on. */
interface Situation {
  readonly cpu: number;
  readonly focus: number;
  readonly weights: Weights;
  readonly sketch: Sketch;
  /** The other processes take turns, which uses ASIDs up; else they are drawn. */
  readonly inTurn: boolean;
}

function operation(draw: Draw, at: Situation, { mms, pages }: RolloverConfiguration): RolloverOperation {
  const { cpu, focus, weights, sketch } = at;
  const kinds = Object.entries(weights).map(([kind, weight]): Weighted<RolloverOperation['op']> => {
    const op = kind as RolloverOperation['op'];
    return [sketch.applies(cpu, op) ? weight : 0, op];
  });
  const op = draw.weighted(kinds);
  if (op === 'idle' || op === 'lazy' || op === 'exit') return { op };
  if (op === 'switch' && at.inTurn) {
    const turn = sketch.turn(cpu, focus);
    return {
      op,
      mm: sketch.fits(cpu, op, focus)
        ? draw.weighted([
            [2, turn],
            [1, focus],
          ])
        : turn,
    };
  }
  const fits = (mm: number): number =>
    !sketch.fits(cpu, op, mm) ? 0 : mm !== focus ? 1 : op === 'pin' && weights !== PINS ? 2 * mms : FOCUS_WEIGHT;
  const options = Array.from({ length: mms }, (_, mm): Weighted<number> => [fits(mm), mm]);
  const mm = draw.weighted(options);
  return op === 'unmap' || op === 'map' ? { op, mm, page: draw.below(pages) } : { op, mm };
}

/** Every operation. */
export function alphabet(configuration: Configuration): RolloverOperation[] {
  const { mms, pages } = rolloverConfiguration(configuration);
  const onPages = Array.from({ length: pages }, (_, page) => page);
  return [
    ...(['idle', 'lazy', 'exit'] as const).map((op) => ({ op })),
    ...Array.from({ length: mms }, (_, mm): RolloverOperation[] => [
      ...(['switch', 'pin', 'unpin', 'fork', 'exec', 'munmap'] as const).map((op) => ({ op, mm })),
      ...onPages.flatMap((page) => (['unmap', 'map'] as const).map((op) => ({ op, mm, page }))),
    ]).flat(),
  ];
}
