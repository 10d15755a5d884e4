/** What a search runs programs on: one device, or two side by side, each replaced by a new one when it is lost. */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { ConformanceDevice } from './device.ts';
import type { Deviation, Side } from './deviation.ts';
import type { ConformanceTarget } from './finding.ts';
import type { ConformanceProgram } from './program.ts';
import { runProgram } from './runner.ts';
import type { RunResult } from './runner.ts';

/** How a search gets a device; a lost one is replaced by the next. */
export interface DeviceSource {
  readonly target: ConformanceTarget;
  readonly start: () => Promise<ConformanceDevice & { readonly version: string }>;
}

/** One device or two. `side` chooses of two. */
export interface Bench {
  readonly target: ConformanceTarget;
  /** What the devices say they are; empty before the first run. */
  readonly version: string;
  /** Devices started again. */
  readonly restarts: number;
  /** What programs may use. */
  features(side?: Side): Promise<SmmuFeatures>;
  targetOf(side: Side | undefined): ConformanceTarget;
  versionOf(side: Side | undefined): string;
  run(program: ConformanceProgram, thorough: boolean): Promise<RunResult>;
  stop(): Promise<void>;
}

/** One device. */
export class DeviceBench implements Bench {
  readonly #source: DeviceSource;
  #device: (ConformanceDevice & { readonly version: string }) | undefined;
  version = '';
  restarts = 0;

  constructor(source: DeviceSource) {
    this.#source = source;
  }

  get target(): ConformanceTarget {
    return this.#source.target;
  }

  targetOf(): ConformanceTarget {
    return this.target;
  }

  versionOf(): string {
    return this.version;
  }

  async features(): Promise<SmmuFeatures> {
    return (await this.#live()).features;
  }

  async run(program: ConformanceProgram, thorough: boolean): Promise<RunResult> {
    const result = await runProgram(program, await this.#live(), { thorough });
    if (result.lost) await this.stop();
    return result;
  }

  async stop(): Promise<void> {
    const device = this.#device;
    this.#device = undefined;
    await device?.stop();
  }

  /** The device in use; a new one if there is none, or the last one was lost. */
  async #live(): Promise<ConformanceDevice> {
    if (this.#device === undefined) {
      this.#device = await this.#source.start();
      if (this.version !== '') this.restarts++;
      this.version = this.#device.version;
    }
    return this.#device;
  }
}

/** Two devices; of the deviations of either, a run shows those that the other does not have. */
export class PairBench implements Bench {
  readonly #sides: Readonly<Record<Side, DeviceBench>>;

  constructor(first: DeviceBench, second: DeviceBench) {
    this.#sides = { first, second };
  }

  get target(): ConformanceTarget {
    return this.#sides.first.target;
  }

  get version(): string {
    return `${this.#sides.first.version} against ${this.#sides.second.version}`;
  }

  get restarts(): number {
    return this.#sides.first.restarts + this.#sides.second.restarts;
  }

  targetOf(side: Side | undefined): ConformanceTarget {
    return this.#sides[side ?? 'first'].target;
  }

  versionOf(side: Side | undefined): string {
    return this.#sides[side ?? 'first'].version;
  }

  async features(side?: Side): Promise<SmmuFeatures> {
    if (side !== undefined) return this.#sides[side].features();
    return common(await this.#sides.first.features(), await this.#sides.second.features());
  }

  async run(program: ConformanceProgram, thorough: boolean): Promise<RunResult> {
    const { first, second } = this.#sides;
    // One after the other: where one cannot be started, the other must not be left running a program.
    const one = await first.run(program, thorough);
    const two = await second.run(program, thorough);
    return { ...one, deviations: onlyOne(one.deviations, two.deviations), lost: false };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#sides.first.stop(), this.#sides.second.stop()]);
  }
}

/** What both offer, of what programs are made of. */
const common = (first: SmmuFeatures, second: SmmuFeatures): SmmuFeatures => ({
  ...first,
  oas: Math.min(first.oas, second.oas),
  granules: first.granules.filter((granule) => second.granules.includes(granule)),
  stage2: first.stage2 && second.stage2,
  ril: first.ril && second.ril,
  had: first.had && second.had,
  stLevel: first.stLevel && second.stLevel,
});

const place = ({ operation, part }: Deviation): string => `${operation} ${part}`;

/** The deviations of one that the other does not have at the same place, or has in another way. */
const onlyOne = (one: readonly Deviation[], two: readonly Deviation[]): Deviation[] => {
  // What follows a command that one device took otherwise, or the end of a device, cannot be compared.
  const end = Math.min(
    ...[...one, ...two].map(({ part, operation }) => (part === 'command' || part === 'device' ? operation : Infinity)),
  );
  const side = (own: readonly Deviation[], other: readonly Deviation[], name: Side): Deviation[] =>
    own.flatMap((deviation) => {
      if (deviation.operation > end) return [];
      const there = other.find((candidate) => place(candidate) === place(deviation));
      if (there?.found === deviation.found) return [];
      return [{ ...deviation, side: name, ...(there === undefined ? {} : { otherwise: there.found }) }];
    });
  return [...side(one, two, 'first'), ...side(two, one, 'second')];
};
