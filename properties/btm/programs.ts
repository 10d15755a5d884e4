import type fc from 'fast-check';
import type { Program } from '../family.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import type { Draw } from '../generate/draw.ts';
import type { BtmConfiguration } from './configuration.ts';
import { OPTIONS, type BtmOperation } from './operations.ts';
import { Sketch } from './sketch.ts';

const OPERATIONS_LEAST = 2;
const OPERATIONS_MOST = 10;
/** How likely each CPU gets an operation. */
const CPU_WEIGHTS = [3, 2, 1] as const;

/** Kinds that a random program has or does without, together. */
const SWARM: readonly (readonly BtmOperation['op'][])[] = [
  ['run', 'put'],
  ['churn'],
  ['kvmMap', 'kvmUnmap'],
  ['vmDestroy'],
  ['map', 'unmap'],
  ['attach', 'detach'],
  ['domainAlloc', 'domainFree'],
  ['vmidPressure'],
  ['guestMap', 'guestUnmap'],
  ['guestUnmapTable'],
  ['guestNest'],
  ['guestFlush'],
];

/**
 * Random programs for a world: operations are drawn one after the other as if they ran in that order, weighted by what the
 * state reached so far makes interesting, and dealt out to the CPUs; each program does without some kinds (swarm testing:
 * Groce et al., ISSTA 2012).
 */
export function programs(configuration: BtmConfiguration): fc.Arbitrary<Program> {
  return arbitraryOf((draw) => {
    const kinds = drawKinds(draw);
    const sketch = new Sketch(configuration);
    const deal = new Deal();
    const cpus = CPU_WEIGHTS.slice(0, configuration.cpus).map((weight, cpu) => [weight, cpu] as const);
    draw.list(OPERATIONS_LEAST, OPERATIONS_MOST, () => {
      const cpu = draw.weighted(cpus);
      const weighted = OPTIONS.map(
        (option) => [kinds.has(option.op) ? sketch.weight(cpu, option) : 0, option] as const,
      );
      const some = weighted.some(([weight]) => weight > 0);
      const operation = draw.weighted(
        some ? weighted : OPTIONS.map((option) => [sketch.weight(cpu, option), option] as const),
      );
      if (!deal.giveCpu(cpu, operation)) draw.duplicate();
      sketch.apply(cpu, operation);
    });
    return deal.program();
  });
}

/** What programs about who has which VMID consist of; those about how long that lives; about what is invalidated. */
const NUMBERS: readonly BtmOperation['op'][] = [
  'run',
  'churn',
  'domainAlloc',
  'domainFree',
  'vmidPressure',
  'kvmUnmap',
];
const LIFE: readonly BtmOperation['op'][] = [
  'run',
  'put',
  'vmDestroy',
  'domainAlloc',
  'domainFree',
  'attach',
  'detach',
];
const INVALIDATIONS: readonly BtmOperation['op'][] = [
  'run',
  'kvmMap',
  'kvmUnmap',
  'unmap',
  'attach',
  'guestMap',
  'guestUnmap',
  'guestNest',
];

function drawKinds(draw: Draw): ReadonlySet<BtmOperation['op']> {
  const about = draw.below(8);
  if (about < 2) return new Set(SWARM.flat());
  if (about < 4) return new Set(NUMBERS);
  if (about < 6) return new Set(about === 4 ? LIFE : INVALIDATIONS);
  // What some kinds make, all kinds make too.
  draw.duplicate();
  return new Set(SWARM.flatMap((group) => (draw.below(2) === 1 ? group : [])));
}
