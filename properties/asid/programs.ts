import type fc from 'fast-check';
import { arbitraryOf } from '../generate/arbitrary.ts';
import type { Draw, Generator } from '../generate/draw.ts';
import { exhaust } from '../generate/exhaust.ts';
import { Deal } from '../generate/deal.ts';
import type { Program } from '../family.ts';
import { optionsOf } from '../flat-operations.ts';
import { FRAMES, type AsidConfiguration } from './configuration.ts';
import { ARGUMENTS, type AsidOperation } from './operations.ts';
import { Sketch } from './sketch.ts';

/** How many operations a program has, and how many CPUs they are dealt to. */
export interface ProgramSize {
  readonly least: number;
  readonly most: number;
  /** 1 to 3. */
  readonly cpus: number;
}

/** Size of random programs. */
const RANDOM_SIZE: ProgramSize = { least: 2, most: 9, cpus: 3 };

/** Kinds that a random program has or does without, together. */
const SWARM: readonly (readonly AsidOperation['op'][])[] = [
  ['attach', 'detach'],
  ['map', 'unmap'],
  ['mapBlock', 'split', 'unmapTable'],
  ['domainAlloc', 'domainFree'],
  ['asidPressure'],
  ['bind', 'unbind'],
  ['mmap', 'munmap'],
  ['exit'],
  ['dmaMap', 'dmaUnmap', 'dmaFlush'],
  ['failNth'],
  ['dma'],
];
/** Only the DMA API: its flush queue needs several operations in a row. */
const DMA_API = SWARM.findIndex((group) => group.includes('dmaMap'));
/** How likely each CPU gets an operation: two are mostly enough, three sometimes needed. */
const CPU_WEIGHTS = [3, 3, 1] as const;

/** Random programs for a world. */
export function programs(configuration: AsidConfiguration): fc.Arbitrary<Program> {
  return arbitraryOf(programGenerator(configuration, RANDOM_SIZE));
}

/**
 * Programs for a world. Operations are drawn one after the other as if they ran in that order, weighted by what the state
 * reached so far makes interesting, and dealt out to the CPUs. A concurrent run then finds most of them applicable, and
 * those that are not are rejected quietly. Each random program does without some kinds (swarm testing: Groce et al., ISSTA
 * 2012), since a full flush, say, hides what a range flush forgets.
 *
 * Drawn exhaustively, all programs that change state come once each, whether or not their operations apply: CPUs are
 * interchangeable, so each way to partition operations counts once; and an access of a device changes nothing, since the
 * architecture is judged after every step anyway.
 */
export function programGenerator(configuration: AsidConfiguration, size: ProgramSize): Generator<Program> {
  const options = optionsIn(configuration);
  return (draw) => {
    const kinds = drawKinds(draw, configuration);
    const sketch = new Sketch(configuration);
    const deal = new Deal();
    draw.list(size.least, size.most, () => {
      const cpu = draw.weighted(CPU_WEIGHTS.slice(0, size.cpus).map((weight, index) => [weight, index]));
      const operation = drawOperation(
        draw,
        options,
        (option) => (kinds.has(option.op) ? sketch.weight(option) : 0),
        sketch,
      );
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
export function alphabet(configuration: AsidConfiguration): AsidOperation[] {
  const options = optionsIn(configuration).filter(({ op }) => op !== 'dma');
  const sketch = new Sketch(configuration);
  return [...exhaust((draw) => drawOperation(draw, options, () => 1, sketch))];
}

function drawKinds(draw: Draw, { lazy }: AsidConfiguration): ReadonlySet<AsidOperation['op']> {
  const how = draw.weighted([
    [1, 'all'],
    [1, 'some'],
    [lazy ? 1 : 0, 'dma-api'],
  ]);
  if (how === 'all') return new Set(SWARM.flat());
  // What some kinds make, all kinds make too.
  draw.duplicate();
  if (how === 'dma-api') return new Set(SWARM[DMA_API]);
  return new Set(SWARM.flatMap((group) => (draw.below(2) === 1 ? group : [])));
}

function drawOperation(
  draw: Draw,
  options: readonly AsidOperation[],
  weightOf: (option: AsidOperation) => number,
  sketch: Sketch,
): AsidOperation {
  const weighted = options.map((option) => [weightOf(option), option] as const);
  const some = weighted.some(([weight]) => weight > 0);
  const operation = draw.weighted(some ? weighted : options.map((option) => [sketch.weight(option), option]));
  return 'frame' in operation ? { ...operation, frame: draw.below(FRAMES) } : operation;
}

/** Every operation that a world has, with any arguments, frames apart: those are drawn when the operation is. */
function optionsIn({ processes, lazy, faults = false }: AsidConfiguration): AsidOperation[] {
  return optionsOf<AsidOperation>(ARGUMENTS, 'frame')
    .filter((operation) => !('process' in operation) || operation.process < processes)
    .filter(({ op }) => faults || op !== 'failNth')
    .filter(({ op }) => lazy || !(SWARM[DMA_API] ?? []).includes(op));
}
