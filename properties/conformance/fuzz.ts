/**
 * Searches a device for deviations: generated programs one after the other; each deviation is minimised, classified,
 * confirmed and handed over before the search goes on.
 */
import { Random } from '../../engine/random.ts';
import { DeviceBench, PairBench } from './bench.ts';
import type { Bench, DeviceSource } from './bench.ts';
import { classify, fingerprintOf } from './classify.ts';
import { sameDifference } from './deviation.ts';
import type { Deviation } from './deviation.ts';
import type { ConformanceFinding, ConformanceTarget } from './finding.ts';
import { programOfSeed } from './generate.ts';
import type { GeneratedProgram } from './generate.ts';
import { minimise } from './minimise.ts';
import type { ConformanceProgram } from './program.ts';
import { renderConfiguration, renderOperation } from './render.ts';
import { ruleOf } from './rules.ts';
import type { RunResult } from './runner.ts';
import { count, emptyStatistics } from './statistics.ts';
import type { ConformanceStatistics } from './statistics.ts';

/** What a search is asked to do. */
export interface FuzzOptions {
  readonly target: ConformanceTarget;
  /** Stop after this many seconds … */
  readonly seconds?: number;
  /** … or this many programs; without either, one thousand. */
  readonly runs?: number;
  readonly seed: number;
  /** Called with each finding as soon as it is confirmed; the search waits for it. */
  readonly onFinding?: (finding: ConformanceFinding) => void | Promise<void>;
  /** Called now and then. */
  readonly onProgress?: (progress: ConformanceSummary) => void;
  readonly signal?: AbortSignal;
}

/** What a search did. */
export interface ConformanceSummary {
  readonly target: ConformanceTarget;
  readonly version: string;
  readonly seed: number;
  readonly seconds: number;
  readonly statistics: ConformanceStatistics;
  readonly findings: readonly ConformanceFinding[];
  /** Whether the search was stopped by its signal. */
  readonly aborted: boolean;
}

/** Most programs whose deviation looks like a known finding that are minimised all the same. */
const suspectsMax = 3;
/** The same for what looks alike but for what was permitted instead, of which there are many kinds. */
const answersMax = 12;

/** Runs a search on devices from a source; with a second source, for what only one of the two does. */
export const fuzzDevice = async (
  source: DeviceSource,
  options: FuzzOptions,
  against?: DeviceSource,
): Promise<ConformanceSummary> => {
  const bench = new DeviceBench(source);
  const search = new Search(against === undefined ? bench : new PairBench(bench, new DeviceBench(against)), options);
  try {
    await search.run();
  } finally {
    await search.stop();
  }
  return search.summary();
};

class Search {
  readonly #bench: Bench;
  readonly #options: FuzzOptions;
  readonly #statistics = emptyStatistics();
  readonly #findings = new Map<string, ConformanceFinding>();
  /** For each kind of deviation, how often its minimised form was known already. */
  readonly #known = new Map<string, number>();
  readonly #start = performance.now();
  #progressAt = 0;

  constructor(bench: Bench, options: FuzzOptions) {
    this.#bench = bench;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { seed, seconds, runs } = this.#options;
    const runsMax = runs ?? (seconds === undefined ? 1000 : Infinity);
    const seeds = new Random(seed);
    for (let index = 0; index < runsMax && !this.#over(); index++) {
      const programSeed = seeds.next();
      const program = programOfSeed(programSeed, await this.#bench.features());
      const result = await this.#runOnce(program, false);
      count(this.#statistics, program, result);
      const chosen = this.#choose(result.deviations, programSeed);
      if (chosen !== undefined) await this.#examine(program, programSeed, chosen);
      this.#progress();
    }
  }

  async stop(): Promise<void> {
    await this.#bench.stop();
  }

  summary(): ConformanceSummary {
    return {
      target: this.#bench.target,
      version: this.#bench.version,
      seed: this.#options.seed,
      seconds: (performance.now() - this.#start) / 1000,
      statistics: this.#statistics,
      findings: [...this.#findings.values()],
      aborted: this.#options.signal?.aborted ?? false,
    };
  }

  #over(): boolean {
    const { seconds, signal } = this.#options;
    if (signal?.aborted === true) return true;
    return seconds !== undefined && performance.now() - this.#start >= seconds * 1000;
  }

  #progress(): void {
    const now = performance.now();
    if (this.#options.onProgress === undefined || now - this.#progressAt < 500) return;
    this.#progressAt = now;
    this.#options.onProgress(this.summary());
  }

  async #runOnce(program: ConformanceProgram, thorough: boolean): Promise<RunResult> {
    const result = await this.#bench.run(program, thorough);
    this.#statistics.restarts = this.#bench.restarts;
    return result;
  }

  /**
   * The deviation of a run that is most worth minimising: of a kind that is not known, else, now and then, of one that is.
   * A kind that was nothing new several times is looked at ever more rarely, but never given up: it may hide another rule.
   */
  #choose(deviations: readonly Deviation[], programSeed: number): Deviation | undefined {
    const doubt = (deviation: Deviation): number =>
      Math.max(
        (this.#known.get(kindOf(deviation)) ?? 0) - suspectsMax,
        (this.#known.get(answerOf(deviation)) ?? 0) - answersMax,
      ) + 1;
    const fresh = deviations.find((deviation) => doubt(deviation) <= 0);
    return fresh ?? deviations.find((deviation) => programSeed % 2 ** Math.min(doubt(deviation), 6) === 0);
  }

  /** Turns a deviation into a finding, unless it is one that is known. */
  async #examine(program: GeneratedProgram, programSeed: number, original: Deviation): Promise<void> {
    const probe = async (candidate: ConformanceProgram): Promise<Deviation | undefined> => {
      if (this.#over()) return undefined;
      this.#statistics.minimisingRuns++;
      const { deviations } = await this.#runOnce(candidate, false);
      return deviations.find((deviation) => sameDifference(deviation, original));
    };
    // What does not come back at all (a process killed from outside, say) is not worth the runs of minimising.
    if ((await probe(program)) === undefined) {
      if (!this.#over()) this.#statistics.vanished++;
      return;
    }
    const { program: minimal, deviation, minimal: complete } = await minimise(program, original, probe);
    const classification = classify(minimal, deviation, await this.#bench.features(deviation.side));
    const fingerprint = fingerprintOf(classification) + sideText(deviation);
    if (this.#findings.has(fingerprint)) {
      for (const kind of [kindOf(original), answerOf(original)])
        this.#known.set(kind, (this.#known.get(kind) ?? 0) + 1);
      return;
    }
    // What a time limit cut short is not minimal, so its rule is not sure; the next run finds it again.
    if (this.#over()) return;
    if (!(await this.#confirmed(minimal, deviation))) {
      this.#statistics.vanished++;
      return;
    }
    // What was observed is in the answer, in words; the data of it served to classify.
    const { observed: _, side, otherwise: _otherwise, ...reported } = deviation;
    const finding: ConformanceFinding = {
      fingerprint,
      target: this.#bench.targetOf(deviation.side),
      version: this.#bench.versionOf(deviation.side),
      seed: this.#options.seed,
      programSeed,
      rule: classification.rule === undefined ? undefined : ruleOf(classification.rule),
      program: minimal,
      deviation: reported,
      ...(side === undefined ? {} : { side }),
      operationsFrom: program.operations.length,
      minimal: complete,
      configurationText: renderConfiguration(minimal),
      operationsText: minimal.operations.map((operation) => renderOperation(minimal.configuration, operation)),
    };
    this.#findings.set(fingerprint, finding);
    await this.#options.onFinding?.(finding);
  }

  /** Two replays, each from a reset of the whole device, must show the same answer. */
  async #confirmed(program: ConformanceProgram, deviation: Deviation): Promise<boolean> {
    for (let replay = 0; replay < 2; replay++) {
      this.#statistics.minimisingRuns++;
      const { deviations } = await this.#runOnce(program, true);
      const again = deviations.some(
        ({ operation, answer, side }) =>
          operation === deviation.operation && answer === deviation.answer && side === deviation.side,
      );
      if (!again) return false;
    }
    return true;
  }
}

/** Deviations of one kind look alike before they are minimised. */
const kindOf = ({ difference, found, expected, side }: Deviation): string =>
  `${difference} ${found} ${expected.join(' ')} ${side ?? ''}`;

/** Deviations with one answer, whatever was permitted. */
const answerOf = ({ difference, found, side }: Deviation): string => `${difference} ${found} ${side ?? ''}`;

/** Which of two devices does it, for the fingerprint. */
const sideText = ({ side, otherwise }: Deviation): string =>
  side === undefined ? '' : otherwise === undefined ? ` · only the ${side}` : ` · the ${side}; the other: ${otherwise}`;
