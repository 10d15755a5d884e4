import type { Failure } from '../engine/failure.ts';
import { fuzz, type Found, type FuzzSummary, type StrategyName } from './campaign.ts';
import type { Family, Hazard } from './family.ts';

/** One search for a hazard, from one seed. */
export interface Hunt {
  readonly seed: number;
  /** Undefined: the hazard survived. */
  readonly kill?: Kill;
}

/** How a hazard was found. */
export interface Kill {
  /** Executions up to and including the failing one. */
  readonly executions: number;
  /** Processor time of the process, in seconds. */
  readonly seconds: number;
  readonly monitor: string;
  readonly rule: string;
  /** Whether the hazard says that it shows as this violation. */
  readonly expected: boolean;
}

/** Budget of a hunt. */
export interface HuntOptions {
  readonly seed: number;
  readonly strategy: StrategyName;
  /** Processor time after which it is given up: a loaded machine hunts as long as an idle one. */
  readonly seconds: number;
  readonly stop: () => boolean;
  readonly onProgress: (progress: FuzzSummary) => void;
}

/** Looks for a hazard with random programs, which know nothing of it; the failure that was found, besides. */
export async function hunt(
  family: Family,
  hazard: Hazard,
  options: HuntOptions,
): Promise<{ readonly hunt: Hunt; readonly found: Found | undefined }> {
  const { seed, strategy, seconds, onProgress } = options;
  const before = process.cpuUsage();
  const spent = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  let found: Found | undefined;
  await fuzz(family, {
    hazard: hazard.id,
    seed,
    strategy,
    seconds: seconds === 0 ? 0 : Infinity,
    stop: () => options.stop() || spent() > seconds,
    onProgress,
    onFound: (first) => {
      found = first;
      return 'stop';
    },
  });
  if (found === undefined) return { hunt: { seed }, found };
  const { failure, provenance } = found;
  const { monitor, rule } = failure;
  const { executions } = provenance;
  return {
    hunt: { seed, kill: { executions, seconds: spent(), monitor, rule, expected: isExpected(hazard, failure) } },
    found,
  };
}

/** Whether a hazard says that it shows as this violation. */
export function isExpected(hazard: Hazard, { monitor, rule }: Pick<Failure, 'monitor' | 'rule'>): boolean {
  return hazard.expected.some((violation) => violation.monitor === monitor && violation.rule === rule);
}

/** The middle of numbers; the lower one of two. 0 for none. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[(numbers.length - 1) >> 1] ?? 0;
}
