import type fc from 'fast-check';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import type { Draw, Generator } from '../generate/draw.ts';
import { exhaust } from '../generate/exhaust.ts';
import type { Program } from '../family.ts';
import { optionsOf } from '../flat-operations.ts';
import type { SmmuConfiguration } from './configuration.ts';
import { ARGUMENTS, type SmmuOperation } from './operations.ts';
import { Sketch } from './sketch.ts';

/** Frames that mappings may lead to. */
const FRAMES = 4;
const OPERATIONS_LEAST = 1;
const OPERATIONS_MOST = 8;
/** How likely each CPU gets an operation: two are mostly enough, three sometimes needed. */
const CPU_WEIGHTS = [3, 3, 1] as const;

/** Kinds that a random program has or does without, together. */
const SWARM: readonly (readonly SmmuOperation['op'][])[] = [
  ['attach', 'detach'],
  ['bypass'],
  ['map', 'unmap'],
  ['mapBlock', 'split', 'unmapTable', 'unmapPages'],
  ['domainAlloc', 'domainFree'],
  ['vmidPressure'],
  ['vdeviceAlloc', 'vdeviceDestroy'],
  ['guestMap', 'guestUnmap'],
  ['guestUnmapTable'],
  ['guestStream'],
  ['guestContext'],
  ['guestFlush'],
  ['guestPoke'],
  ['dma'],
];

/** Random programs for a world. */
export function programs(configuration: SmmuConfiguration): fc.Arbitrary<Program> {
  return arbitraryOf(programGenerator(configuration));
}

/**
 * Programs for a world, as those of family `asid`: operations are drawn one after the other as if they ran in that order,
 * weighted by what the state reached so far makes interesting, and dealt out to the CPUs; each program does without some
 * kinds (swarm testing: Groce et al., ISSTA 2012).
 */
export function programGenerator(configuration: SmmuConfiguration): Generator<Program> {
  return (draw) => {
    const kinds = drawKinds(draw);
    const sketch = new Sketch(configuration);
    const deal = new Deal();
    draw.list(OPERATIONS_LEAST, OPERATIONS_MOST, () => {
      const cpu = draw.weighted(CPU_WEIGHTS.map((weight, index) => [weight, index]));
      const operation = drawOperation(draw, (option) => (kinds.has(option.op) ? sketch.weight(option) : 0), sketch);
      if (operation.op === 'dma') {
        draw.duplicate();
        deal.give(`dev${operation.device}`, operation);
      } else if (!deal.giveCpu(cpu, operation)) draw.duplicate();
      sketch.apply(operation);
    });
    return deal.program();
  };
}

/** Every operation that changes state and that a program for a world may have. */
export function alphabet(configuration: SmmuConfiguration): SmmuOperation[] {
  const sketch = new Sketch(configuration);
  return [...exhaust((draw) => drawOperation(draw, ({ op }) => (op === 'dma' ? 0 : 1), sketch))].filter(
    ({ op }) => op !== 'dma',
  );
}

function drawKinds(draw: Draw): ReadonlySet<SmmuOperation['op']> {
  if (
    draw.weighted([
      [1, true],
      [1, false],
    ])
  )
    return new Set(SWARM.flat());
  // What some kinds make, all kinds make too.
  draw.duplicate();
  return new Set(SWARM.flatMap((group) => (draw.below(2) === 1 ? group : [])));
}

function drawOperation(draw: Draw, weightOf: (option: SmmuOperation) => number, sketch: Sketch): SmmuOperation {
  const weighted = OPTIONS.map((option) => [weightOf(option), option] as const);
  const some = weighted.some(([weight]) => weight > 0);
  const operation = draw.weighted(some ? weighted : OPTIONS.map((option) => [sketch.weight(option), option]));
  return 'frame' in operation ? { ...operation, frame: draw.below(FRAMES) } : operation;
}

/** Every operation with any arguments, frames apart: those are drawn when the operation is. */
const OPTIONS: readonly SmmuOperation[] = optionsOf(ARGUMENTS, 'frame');
