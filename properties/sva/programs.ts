import type fc from 'fast-check';
import type { Configuration, Program } from '../family.ts';
import { optionsOf } from '../flat-operations.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import type { Draw, Weighted } from '../generate/draw.ts';
import { svaConfiguration, type SvaConfiguration } from './configuration.ts';
import { ARGUMENTS, KINDS, type SvaOperation } from './operations.ts';
import { Sketch } from './sketch.ts';

const OPERATIONS_MIN = 2;
const OPERATIONS_MAX = 12;

/** How often each kind of operation. */
type Weights = Readonly<Record<SvaOperation['op'], number>>;

const NONE: Weights = {
  switch: 0,
  idle: 0,
  fork: 0,
  exit: 0,
  mmap: 0,
  munmap: 0,
  bind: 0,
  unbind: 0,
  attach: 0,
  detach: 0,
  map: 0,
  unmap: 0,
  asidPressure: 0,
};
/** What a program is about: pages, roll-overs, births and ends, the private domain, or all of it. */
const PAGES: Weights = { ...NONE, switch: 3, mmap: 2, munmap: 6, bind: 4, unbind: 1 };
const ROLLOVERS: Weights = { ...NONE, switch: 16, idle: 1, munmap: 3, bind: 4, unbind: 4 };
const LIVES: Weights = { ...NONE, switch: 12, fork: 12, munmap: 1, bind: 6 };
const ENDS: Weights = { ...NONE, switch: 6, fork: 2, exit: 4, munmap: 2, mmap: 1, bind: 4, unbind: 3 };
const DOMAIN: Weights = { ...NONE, switch: 3, munmap: 3, mmap: 1, bind: 4, unbind: 3, attach: 3, detach: 3 };
const ALL: Weights = { ...DOMAIN, idle: 1, fork: 2, exit: 1, map: 2, unmap: 3, asidPressure: 2, switch: 6 };
const THEMES: readonly Weighted<Weights>[] = [
  [3, PAGES],
  [3, ROLLOVERS],
  [2, LIVES],
  [1, ENDS],
  [2, { ...DOMAIN, map: 1, unmap: 2, asidPressure: 2 }],
  [1, ALL],
];

/** Processes that a program about births needs: parent, child, and others that take their ASIDs. */
const LIVES_MIN = 4;

/** How much busier one CPU is in every other program; a story of births is told by one CPU mostly. */
const BUSY = 4;
const STORY = 12;

/** How much more a program does with the process that it is about than with another one. */
const FOCUS = 3;

/** How much sooner than other things a child runs, and is used by a device. */
const CHILD = 6;

/** Random programs, mostly about one process that devices use, while others take its place on the CPUs. */
export function programs(configuration: Configuration): fc.Arbitrary<Program> {
  const known = svaConfiguration(configuration);
  const options = alphabet(known);
  return arbitraryOf((draw) => {
    const deal = new Deal();
    const sketch = new Sketch(known);
    const weights = draw.weighted(known.processes < LIVES_MIN ? THEMES.filter(([, theme]) => theme !== LIVES) : THEMES);
    let focus = draw.below(known.processes);
    const inTurn = draw.below(2) === 0;
    const busy = draw.weighted(
      weights === LIVES
        ? [[1, STORY]]
        : [
            [1, 1],
            [1, BUSY],
          ],
    );
    const cpus = Array.from({ length: known.cpus }, (_, cpu): Weighted<number> => [cpu === 0 ? busy : 1, cpu]);
    draw.list(OPERATIONS_MIN, OPERATIONS_MAX, () => {
      const cpu = draw.weighted(cpus);
      const next = operation(draw, { cpu, focus, weights, sketch, inTurn }, options);
      sketch.add(cpu, next);
      if (next.op === 'fork') focus = next.process;
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

function operation(draw: Draw, at: Situation, options: readonly SvaOperation[]): SvaOperation {
  const { cpu, focus, weights, sketch } = at;
  const fitting = options.filter((option) => weights[option.op] > 0 && sketch.fits(cpu, option) && isOfUse(at, option));
  const kinds = KINDS.map((op): Weighted<SvaOperation['op']> => [
    fitting.some((option) => option.op === op)
      ? weights[op] * (fitting.some((o) => o.op === op && sketch.needs(o)) ? CHILD : 1)
      : 0,
    op,
  ]);
  // What does not apply is rejected, and changes nothing.
  if (fitting.length === 0) return { op: 'asidPressure' };
  const op = draw.weighted(kinds);
  const turn = op === 'switch' && at.inTurn ? sketch.turn(cpu, focus) : -1;
  const weightOf = (option: SvaOperation): number => {
    if (!('process' in option)) return 1;
    if (sketch.needs(option)) return CHILD;
    // The child's ASID is to be forgotten, which it is not while it runs.
    if (op === 'switch' && sketch.child === 'used') return option.process === focus ? 0 : 1;
    if (op === 'bind' && weights.fork > 0 && option.process === sketch.runs(cpu)) return CHILD;
    if (option.process === focus) return op === 'switch' && at.inTurn ? 1 : FOCUS;
    if (op === 'switch' && at.inTurn) return option.process === turn ? 2 : 0;
    return op === 'munmap' && sketch.bondsOf(option.process) > 0 ? FOCUS : 1;
  };
  const chosen = fitting.filter((option) => option.op === op);
  const weighted = chosen.map((option): Weighted<SvaOperation> => [weightOf(option), option]);
  return draw.weighted(weighted.some(([weight]) => weight > 0) ? weighted : chosen.map((option) => [1, option]));
}

/**
 * A child of a process that no device uses is like any other process, and one is enough; after that, ASIDs are not to be
 * pinned. A bond in place is only counted once more.
 */
function isOfUse({ cpu, sketch, focus }: Situation, option: SvaOperation): boolean {
  if (option.op === 'fork') return sketch.child === 'none' && sketch.bondsOf(sketch.runs(cpu)) > 0;
  if (option.op === 'bind' && sketch.child === 'used') return false;
  return option.op !== 'bind' || option.process === focus || sketch.bondsOf(option.process) === 0;
}

/** Every operation that a program for a world may have. */
export function alphabet(configuration: SvaConfiguration): SvaOperation[] {
  const { processes, masters } = configuration;
  return optionsOf<SvaOperation>(ARGUMENTS).filter((option) => {
    if ('process' in option && option.process >= processes) return false;
    return !('device' in option) || option.device < masters;
  });
}
