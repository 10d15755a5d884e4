/**
 * Searches a device for deviations: generated programs one after the other; each deviation is minimised, classified,
 * confirmed and handed over before the search goes on.
 */
import { Random } from '../../engine/random.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/features.ts';
import { conformanceFeatures } from './conformance-features.ts';
import { classify, fingerprintOf } from './classify.ts';
import type { ConformanceDevice } from './device.ts';
import { sameDifference } from './deviation.ts';
import type { Deviation } from './deviation.ts';
import type { ConformanceFinding, ConformanceTarget } from './finding.ts';
import { programOfSeed } from './generate.ts';
import type { GeneratedProgram } from './generate.ts';
import { minimise } from './minimise.ts';
import type { ConformanceProgram } from './program.ts';
import { renderConfiguration, renderOperation } from './render.ts';
import { ruleOf } from './rules.ts';
import { runProgram } from './runner.ts';
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

/** How a search gets a device; a lost one is replaced by the next. */
export interface DeviceSource {
  readonly target: ConformanceTarget;
  readonly start: () => Promise<ConformanceDevice & { readonly version: string }>;
}

/** Most programs whose deviation looks like a known finding that are minimised all the same. */
const suspectsMax = 3;

/** Runs a search on devices from a source. */
export const fuzzDevice = async (source: DeviceSource, options: FuzzOptions): Promise<ConformanceSummary> => {
  const search = new Search(source, options);
  try {
    await search.run();
  } finally {
    await search.stop();
  }
  return search.summary();
};

class Search {
  readonly #source: DeviceSource;
  readonly #options: FuzzOptions;
  readonly #statistics = emptyStatistics();
  readonly #findings = new Map<string, ConformanceFinding>();
  /** For each kind of deviation, how often its minimised form was known already. */
  readonly #known = new Map<string, number>();
  readonly #start = performance.now();
  #device: (ConformanceDevice & { readonly version: string }) | undefined;
  #version = '';
  #features: SmmuFeatures = conformanceFeatures;
  #progressAt = 0;

  constructor(source: DeviceSource, options: FuzzOptions) {
    this.#source = source;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { seed, seconds, runs } = this.#options;
    const runsMax = runs ?? (seconds === undefined ? 1000 : Infinity);
    const seeds = new Random(seed);
    for (let index = 0; index < runsMax && !this.#over(); index++) {
      const programSeed = seeds.next();
      const program = programOfSeed(programSeed, (await this.#live()).features);
      const result = await this.#runOnce(program, false);
      count(this.#statistics, program, result);
      const chosen = this.#choose(result.deviations, programSeed);
      if (chosen !== undefined) await this.#examine(program, programSeed, chosen);
      this.#progress();
    }
  }

  async stop(): Promise<void> {
    await this.#device?.stop();
    this.#device = undefined;
  }

  summary(): ConformanceSummary {
    return {
      target: this.#source.target,
      version: this.#version,
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

  /** The device in use; a new one if there is none, or the last one was lost. */
  async #live(): Promise<ConformanceDevice> {
    if (this.#device === undefined) {
      this.#device = await this.#source.start();
      if (this.#version !== '') this.#statistics.restarts++;
      this.#version = this.#device.version;
      this.#features = this.#device.features;
    }
    return this.#device;
  }

  async #runOnce(program: ConformanceProgram, thorough: boolean): Promise<RunResult> {
    const result = await runProgram(program, await this.#live(), { thorough });
    if (result.lost) await this.stop();
    return result;
  }

  /**
   * The deviation of a run that is most worth minimising: of a kind that is not known, else, now and then, of one that is.
   * A kind that was nothing new several times is looked at ever more rarely, but never given up: it may hide another rule.
   */
  #choose(deviations: readonly Deviation[], programSeed: number): Deviation | undefined {
    const fresh = deviations.find((deviation) => (this.#known.get(kindOf(deviation)) ?? 0) < suspectsMax);
    if (fresh !== undefined) return fresh;
    return deviations.find((deviation) => {
      const doubt = (this.#known.get(kindOf(deviation)) ?? 0) - suspectsMax + 1;
      return programSeed % 2 ** Math.min(doubt, 6) === 0;
    });
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
    const classification = classify(minimal, deviation, this.#features);
    const fingerprint = fingerprintOf(classification);
    if (this.#findings.has(fingerprint)) {
      const kind = kindOf(original);
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
    const { observed: _, ...reported } = deviation;
    const finding: ConformanceFinding = {
      fingerprint,
      target: this.#source.target,
      version: this.#version,
      seed: this.#options.seed,
      programSeed,
      rule: classification.rule === undefined ? undefined : ruleOf(classification.rule),
      program: minimal,
      deviation: reported,
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
        ({ operation, answer }) => operation === deviation.operation && answer === deviation.answer,
      );
      if (!again) return false;
    }
    return true;
  }
}

/** Deviations of one kind look alike before they are minimised. */
const kindOf = ({ difference, found, expected }: Deviation): string => `${difference} ${found} ${expected.join(' ')}`;
