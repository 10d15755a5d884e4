/** Looks for a mistake of a device with random programs, which know nothing of it. */
import { Random } from '../../../engine/random.ts';
import type { Hunt, Kill } from '../../hunt.ts';
import type { DeviceSource } from '../bench.ts';
import { BuiltinDevice } from '../builtin-device.ts';
import type { ConformanceFinding } from '../finding.ts';
import { fuzzDevice } from '../fuzz.ts';
import { programOfSeed } from '../generate.ts';
import { runInterleaved } from '../interleaved.ts';
import { runProgram } from '../runner.ts';
import { runWide } from '../wide.ts';
import type { DeviceHazard } from './hazard.ts';

/** Budget of a hunt. */
export interface DeviceHuntOptions {
  readonly seed: number;
  /** Processor time after which it is given up. */
  readonly seconds: number;
  readonly stop?: () => boolean;
  /** Called now and then with the programs run. */
  readonly onProgress?: (programs: number) => void;
}

/** Runs programs until one shows the mistake. `executions` of the kill counts programs; its rule is the kind of deviation. */
export const huntDevice = async (
  { check, make }: DeviceHazard,
  { seed, seconds, stop, onProgress }: DeviceHuntOptions,
): Promise<Hunt> => {
  const before = process.cpuUsage();
  const spent = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const seeds = new Random(seed);
  const run = runOf(check, make);
  const isOver = (): boolean => spent() >= seconds || stop?.() === true;
  for (let executions = 1; !isOver(); executions++) {
    const rule = await run(seeds.next());
    if (rule !== undefined) {
      const kill: Kill = { executions, seconds: spent(), monitor: 'conformance', rule, expected: true };
      return { seed, kill };
    }
    if (executions % 16 !== 0) continue;
    onProgress?.(executions);
    // Programs on a device of ours never wait, so nothing else (an interruption) would get its turn.
    await new Promise((resolve) => void setImmediate(resolve));
  }
  return { seed };
};

/** Runs the program of a seed: the kind of the first deviation, if there is one. */
const runOf = (
  check: DeviceHazard['check'],
  make: DeviceHazard['make'],
): ((seed: number) => Promise<string | undefined>) => {
  switch (check) {
    case 'programs': {
      const device = new BuiltinDevice({ make });
      return async (seed) => {
        const program = programOfSeed(seed, device.features);
        const { deviations } = await runProgram(program, device, { thorough: true });
        return deviations[0]?.difference;
      };
    }
    case 'interleaved':
      return (seed) => Promise.resolve(runInterleaved(seed, { make }).difference && 'interleaved');
    case 'wide':
      return (seed) => Promise.resolve(runWide(seed, make).difference && 'wide');
  }
};

/**
 * The first deviation that programs find in a device with a mistake, minimised and confirmed; undefined if there is none
 * in time, or the mistake is one that programs alone do not show.
 */
export const minimiseDevice = async (
  hazard: DeviceHazard,
  { seed, seconds, signal }: { readonly seed: number; readonly seconds: number; readonly signal?: AbortSignal },
): Promise<ConformanceFinding | undefined> => {
  if (hazard.check !== 'programs') return undefined;
  const enough = new AbortController();
  const { findings } = await fuzzDevice(sourceOf(hazard), {
    target: 'builtin',
    seed,
    seconds,
    signal: signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]),
    onFinding: () => enough.abort(),
  });
  return findings[0];
};

/** Devices with a mistake, for searches and replays. */
export const sourceOf = ({ make }: DeviceHazard): DeviceSource => ({
  target: 'builtin',
  start: () => Promise.resolve(new BuiltinDevice({ make })),
});
