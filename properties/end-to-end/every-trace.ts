import { exploreTraces } from '../../engine/dpor/explore.ts';
import type { EndToEndFamily } from './family.ts';
import type { Hardware } from './hardware.ts';
import type { EndToEndObserved } from './result.ts';
import { EndToEnd, type EndToEndRun } from './run.ts';

/** What running a program once for each of its traces on a device has shown. */
export interface EveryTrace {
  readonly verdict: 'holds' | 'violation' | 'deviation' | 'bound' | 'not-possible';
  /** Traces run on the device, and those there are; more if the bound was hit. */
  readonly run: number;
  readonly traces: number;
  /** The run that showed what the verdict says, and its schedule. */
  readonly shown?: EndToEndObserved;
  readonly schedule?: readonly number[];
  /** Why it cannot be run, as the end of a sentence that begins with "it". */
  readonly reason?: string;
}

/**
 * Runs a program on a real device once for each Mazurkiewicz trace, up to the first run that breaks a promise. The state of
 * a device outside can be neither hashed nor undone, so a search is not possible; but schedules that differ only in the order
 * of independent steps lead it to the same states, and one of them stands for all.
 *
 * What depends on what is known from the software over the architecture: what the architecture holds counts as touched. So
 * this rests on the device holding nothing that the architecture does not permit, which each run checks.
 *
 * @param tracesMax most traces to run; with more, the verdict is `bound` unless one of the first shows something.
 */
export async function everyTraceOn(
  family: EndToEndFamily,
  run: Omit<EndToEndRun, 'schedule'>,
  hardware: Hardware,
  tracesMax: number,
): Promise<EveryTrace> {
  const { configuration, hazard, program, idle } = run;
  const { features, concatenatedTables } = hardware;
  const reason = family.whyNot(configuration, program, features);
  if (reason !== undefined) return { verdict: 'not-possible', run: 0, traces: 0, reason };
  // As in a replay: what the architecture merely may break does not end a run.
  const onViolation = (): void => undefined;
  const world = family.world(configuration, hazard, { features, concatenatedTables, onViolation });
  const schedules: (readonly number[])[] = [];
  const explored = exploreTraces(world.load(program), {
    executionsMax: tracesMax,
    wanted: () => false,
    onTrace: (schedule) => schedules.push(schedule),
    onFailure: (_, schedule) => schedules.push(schedule),
    onRestart: () => schedules.splice(0),
  });
  const traces = schedules.length;
  const endToEnd = new EndToEnd(family, { configuration, hazard }, hardware);
  for (const [at, schedule] of schedules.entries()) {
    const shown = await endToEnd.run(program, schedule, idle);
    if (shown.verdict !== 'holds') return { verdict: shown.verdict, run: at + 1, traces, shown, schedule };
  }
  return { verdict: explored.verdict === 'bound' ? 'bound' : 'holds', run: traces, traces };
}
