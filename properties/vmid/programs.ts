import type fc from 'fast-check';
import type { Configuration, Program } from '../family.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import type { Draw, Weighted } from '../generate/draw.ts';
import { vmidConfiguration, type VmidConfiguration, type VmidOperation } from './configuration.ts';
import { Sketch } from './sketch.ts';

const OPERATIONS_MIN = 3;
const OPERATIONS_MAX = 14;

/** How often each kind of operation. */
type Weights = Readonly<Record<VmidOperation['op'], number>>;

/** One program out of several is about pages, about roll-overs alone, about devices. */
const PAGES: Weights = { run: 12, exit: 1, put: 1, unmap: 4, fault: 1, pin: 0, unpin: 0, destroy: 1 };
const SWITCHES: Weights = { run: 20, exit: 1, put: 4, unmap: 0, fault: 0, pin: 0, unpin: 0, destroy: 1 };
const DEVICES: Weights = { run: 16, exit: 0, put: 1, unmap: 1, fault: 0, pin: 4, unpin: 3, destroy: 1 };

/** How much more likely the machine that a program is about is run than another one. */
const FOCUS_WEIGHT = 2;
/**
 * Which machine runs next on a CPU where they take turns: the one whose turn it is, the one that the program is about, or the
 * one that ran there before, so that two of them alternate.
 */
interface Next {
  readonly turn: number;
  readonly focus: number;
  readonly before: number;
}
const NEXT: readonly Next[] = [
  { turn: 2, focus: 1, before: 1 },
  { turn: 2, focus: 1, before: 1 },
  { turn: 1, focus: 3, before: 0 },
  { turn: 1, focus: 1, before: 3 },
];
/** How much busier one CPU is in every other program: those that hardly switch keep what they have for long. */
const BUSY_WEIGHT = 6;

/**
 * Random programs: mostly virtual machines that come to run, so that the few VMIDs go round, with one that runs more often
 * than the others, and that devices use.
 */
export function programs(configuration: Configuration): fc.Arbitrary<Program> {
  const known = vmidConfiguration(configuration);
  return arbitraryOf((draw) => {
    const deal = new Deal();
    const sketch = new Sketch(known);
    const weights = draw.weighted([
      [2, PAGES],
      [2, SWITCHES],
      [sketch.pinsMax > 0 ? 3 : 1, DEVICES],
    ]);
    const focus = draw.below(known.vms);
    const inTurn = draw.below(2) === 0;
    const next = draw.weighted(NEXT.map((kind): Weighted<Next> => [1, kind]));
    const pinned = draw.weighted([
      [2, 2 * known.vms],
      [1, 1],
    ]);
    const busy = draw.weighted([
      [1, 1],
      [1, BUSY_WEIGHT],
    ]);
    const cpus = Array.from({ length: known.cpus }, (_, cpu): Weighted<number> => [cpu === 0 ? busy : 1, cpu]);
    draw.list(OPERATIONS_MIN, OPERATIONS_MAX, () => {
      const cpu = draw.weighted(cpus);
      const added = operation(draw, { cpu, focus, weights, sketch, inTurn, next, pinned }, known);
      sketch.add(cpu, added);
      if (!deal.giveCpu(cpu, added)) draw.duplicate();
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
  /** The other machines take turns, which uses VMIDs up; else they are drawn. */
  readonly inTurn: boolean;
  readonly next: Next;
  /** How much more likely the machine that the program is about is pinned than another one. */
  readonly pinned: number;
}

function operation(draw: Draw, at: Situation, known: VmidConfiguration): VmidOperation {
  const { cpu, weights, sketch } = at;
  const kinds = Object.entries(weights).map(([kind, weight]): Weighted<VmidOperation['op']> => {
    const op = kind as VmidOperation['op'];
    return [sketch.applies(cpu, op) ? weight : 0, op];
  });
  const op = draw.weighted(kinds);
  if (op === 'exit' || op === 'put') return { op };
  const vm = machine(draw, at, op, known);
  switch (op) {
    case 'run':
      return { op, vm, vcpu: vcpu(draw, at, vm, known) };
    case 'unmap':
    case 'fault':
      return { op, vm, page: draw.below(known.pages) };
    default:
      return { op, vm };
  }
}

function machine(draw: Draw, at: Situation, op: VmidOperation['op'], { vms }: VmidConfiguration): number {
  const { cpu, focus, sketch, next } = at;
  if (op === 'run' && at.inTurn) {
    const before = sketch.before(cpu);
    return draw.weighted([
      [next.turn, sketch.turn(cpu, focus)],
      [sketch.fits(cpu, op, focus) ? next.focus : 0, focus],
      [before < 0 ? 0 : next.before, Math.max(0, before)],
    ]);
  }
  const fits = (vm: number): number =>
    !sketch.fits(cpu, op, vm) ? 0 : vm !== focus ? 1 : op === 'pin' ? at.pinned : FOCUS_WEIGHT;
  return draw.weighted(Array.from({ length: vms }, (_, vm): Weighted<number> => [fits(vm), vm]));
}

/** Mostly the one that can run there; sometimes another, which may be on its way. */
function vcpu(draw: Draw, { cpu, sketch }: Situation, vm: number, { vcpus }: VmidConfiguration): number {
  const usual = Math.max(0, sketch.vcpuFor(cpu, vm));
  return draw.weighted(Array.from({ length: vcpus }, (_, id): Weighted<number> => [id === usual ? 4 : 1, id]));
}

/** Every operation. */
export function alphabet(configuration: Configuration): VmidOperation[] {
  const { vms, vcpus, pages } = vmidConfiguration(configuration);
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
  return [
    { op: 'exit' },
    { op: 'put' },
    ...numbers(vms).flatMap((vm): VmidOperation[] => [
      ...numbers(vcpus).map((id) => ({ op: 'run' as const, vm, vcpu: id })),
      ...(['pin', 'unpin', 'destroy'] as const).map((op) => ({ op, vm })),
      ...numbers(pages).flatMap((page) => (['unmap', 'fault'] as const).map((op) => ({ op, vm, page }))),
    ]),
  ];
}
