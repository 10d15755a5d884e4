import { countInterleavings } from '../../engine/dpor/count-interleavings.ts';
import { exploreTraces } from '../../engine/dpor/explore.ts';
import type { Family, Operation, Program, SmallWorld } from '../family.ts';
import { Deal } from '../generate/deal.ts';
import type { Generator } from '../generate/draw.ts';
import { exhaust } from '../generate/exhaust.ts';

/** What the programs of one world come to, each explored on its own. */
export interface TraceCount {
  readonly world: string;
  readonly programs: number;
  /** Schedules, as an enumeration would go through them; a float. */
  readonly interleavings: number;
  /** Schedules that differ in more than the order of independent steps: one execution of each shows all that there is. */
  readonly traces: number;
  /** Programs of which some trace fails. */
  readonly violated: number;
  readonly seconds: number;
  /** False: it was ended before all programs were explored, or some were too large. */
  readonly complete: boolean;
}

/** What to explore, and when to end. */
export interface TraceOptions {
  readonly hazard?: string;
  readonly operations: number;
  readonly cpus: number;
  readonly kinds?: readonly string[];
  readonly stop?: () => boolean;
  readonly onProgress?: (count: TraceCount) => void;
}

/** Bounds of one program. */
const TRACES_MAX = 1_000_000;
const PAUSE_MS = 40;

/** Every program of up to so many operations, on up to so many CPUs: once each, whatever the CPUs are called. */
export function programsOf(alphabet: readonly Operation[], operations: number, cpus: number): Generator<Program> {
  return (draw) => {
    const deal = new Deal();
    draw.list(1, operations, () => {
      const cpu = draw.below(cpus);
      if (!deal.giveCpu(cpu, alphabet[draw.below(alphabet.length)] as Operation)) draw.duplicate();
    });
    return deal.program();
  };
}

/**
 * Explores each program of a world on its own, trace by trace: slower than `verify` by far, by another engine (source-DPOR)
 * that keeps no states, and it counts what an enumeration of schedules would go through.
 *
 * @throws RangeError if the family has no small scope.
 */
export async function countTraces(family: Family, small: SmallWorld, options: TraceOptions): Promise<TraceCount> {
  if (family.small === undefined) throw new RangeError(`family ${family.name} can only be fuzzed`);
  const world = family.world(small.configuration, options.hazard);
  const { kinds } = options;
  const alphabet = family.small.alphabet(small.configuration).filter(({ op }) => kinds?.includes(op) ?? true);
  const total = {
    world: small.name,
    programs: 0,
    interleavings: 0,
    traces: 0,
    violated: 0,
    seconds: 0,
    complete: true,
  };
  const started = performance.now();
  let pause = started + PAUSE_MS;
  for (const program of exhaust(programsOf(alphabet, options.operations, options.cpus))) {
    const result = exploreTraces(world.load(program), { executionsMax: TRACES_MAX });
    const interleavings = countInterleavings(world.load(program));
    total.programs++;
    total.traces += result.traces;
    total.interleavings += interleavings ?? 0;
    if (result.verdict === 'violation') total.violated++;
    if (result.verdict === 'bound' || interleavings === undefined) total.complete = false;
    if (performance.now() < pause) continue;
    total.seconds = (performance.now() - started) / 1000;
    options.onProgress?.({ ...total });
    await new Promise((resolve) => setImmediate(resolve));
    if (options.stop?.() === true) {
      total.complete = false;
      break;
    }
    pause = performance.now() + PAUSE_MS;
  }
  total.seconds = (performance.now() - started) / 1000;
  return total;
}
