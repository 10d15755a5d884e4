/**
 * The end-to-end check: a program of kernel software, under a given schedule, on a real device.
 *
 * The software runs step by step over the architecture, which also tells what it promises (the contract) and what
 * hardware may do. What each step does to memory and registers is done to the device's machine as well, and between steps
 * its devices make a DMA to every page that the program may name. Where such a DMA arrives must be permitted by the
 * contract: if it is not, the software fails on this device too. It must also be permitted by the architecture: if it is
 * not, it is the device that is wrong.
 *
 * A device that is always busy caches a lot, but one that was idle fetches what is in memory at an unlucky moment. So if
 * the busy one shows nothing, the schedule is repeated with devices that stay idle up to each step in turn. Likewise a
 * device that carries out commands at once, and one that leaves them until software waits for them, where it can.
 */
import type { Failure } from '../../engine/failure.ts';
import { AGENTS_MAX } from '../../engine/machine.ts';
import { Runner } from '../../engine/run.ts';
import type { System } from '../../engine/system.ts';
import type { Configuration, Program } from '../family.ts';
import { EffectRecorder, type Effect } from './effects.ts';
import type { EndToEndFamily, EndToEndWorld, Place } from './family.ts';
import type { CommandTrouble, Hardware } from './hardware.ts';
import { agrees, asOutcome, permittedText, reachedText, type Reached } from './outcome.ts';
import type {
  DeviceDeviation,
  DmaObservation,
  EndToEndFinding,
  EndToEndObserved,
  EndToEndResult,
  EndToEndStep,
} from './result.ts';

/** The agent index of each step, or what gives it for the system (which is not the one that is then run). */
export type EndToEndSchedule = readonly number[] | ((system: System) => readonly number[]);

/** What to run. */
export interface EndToEndRun {
  readonly configuration: Configuration;
  readonly hazard?: string | undefined;
  readonly program: Program;
  readonly schedule: EndToEndSchedule;
  /** Which of the steps that touched the hardware devices are idle up to, one after the other; default: each of them. */
  readonly idle?: ((changes: readonly number[]) => readonly number[]) | undefined;
}

/** Steps after which a program that does not end is left. */
const stepsMax = 4_000;

/**
 * Replays a schedule on hardware. After the schedule's end the program runs on to its own, agent by agent: a mistake that
 * the architecture notices early may be seen by a device only later.
 *
 * @throws QemuGone if it is QEMU, and ends meanwhile; RangeError for a hazard, a configuration or an operation that there
 *   is not.
 */
export async function replayOn(family: EndToEndFamily, run: EndToEndRun, hardware: Hardware): Promise<EndToEndResult> {
  const { configuration, hazard, program, schedule, idle } = run;
  const reason = family.whyNot(configuration, program, hardware.features);
  if (reason !== undefined) return { verdict: 'not-possible', reason };
  return new EndToEnd(family, { configuration, hazard }, hardware).run(program, schedule, idle);
}

interface Attempt {
  readonly steps: EndToEndStep[];
  readonly deviations: DeviceDeviation[];
  /** Steps that did something to the hardware. */
  readonly changes: number[];
  readonly idleUntil: number;
  readonly commandsWait: boolean;
  /** Where the last access of each place went; undefined where there was none. */
  last: readonly (Reached | undefined)[];
  violation: EndToEndFinding | undefined;
  permitted: EndToEndObserved['permitted'];
  failure: Failure | undefined;
  misfit: number | undefined;
}

/** One program, loaded. */
interface Loaded {
  readonly system: System;
  readonly schedule: readonly number[];
}

/** A family's software in one configuration, above one piece of hardware. Programs run in it one after the other. */
export class EndToEnd {
  readonly #hardware: Hardware;
  readonly #world: EndToEndWorld;
  readonly #inWords: () => EndToEndWorld;
  readonly #recorder = new EffectRecorder();
  readonly #boot: readonly Effect[];
  readonly #enabled = new Int32Array(AGENTS_MAX);
  #current: Attempt | undefined;
  #accesses = 0;

  /** @throws RangeError for a hazard or a configuration that there is not. */
  constructor(
    family: EndToEndFamily,
    { configuration, hazard }: Pick<EndToEndRun, 'configuration' | 'hazard'>,
    hardware: Hardware,
  ) {
    this.#hardware = hardware;
    // What the architecture merely may break does not end the run: this is about what the device does break.
    const onViolation = (failure: Failure): void => {
      const attempt = this.#current;
      if (attempt !== undefined) attempt.permitted ??= { step: attempt.steps.length, failure };
    };
    const { features, concatenatedTables } = hardware;
    this.#world = family.world(configuration, hazard, {
      features,
      concatenatedTables,
      tap: this.#recorder,
      onViolation,
    });
    // The words of a schedule are those of the software where its addresses are the usual ones.
    this.#inWords = () =>
      concatenatedTables
        ? this.#world
        : family.world(configuration, hazard, { features, onViolation: () => undefined });
    this.#boot = this.#recorder.take();
  }

  /** Runs a program; see `replayOn`. */
  async run(program: Program, schedule: EndToEndSchedule, idle = allOf): Promise<EndToEndObserved> {
    this.#current = undefined;
    this.#accesses = 0;
    const agents = typeof schedule === 'function' ? schedule(this.#inWords().load(program)) : schedule;
    const loaded = { system: this.#world.load(program), schedule: agents };
    const first = await this.#attempt(loaded, 0, false);
    const { deviations } = first;
    let shown = first;
    let repetitions = 1;
    for (const { idleUntil, commandsWait } of this.#repetitions(idle(first.changes))) {
      if (shown.violation !== undefined) break;
      const attempt = await this.#attempt(loaded, idleUntil, commandsWait);
      repetitions++;
      if (attempt.violation !== undefined) shown = attempt;
      for (const deviation of attempt.deviations)
        if (deviations.every(({ message }) => message !== deviation.message)) deviations.push(deviation);
    }
    const { violation, idleUntil, commandsWait, steps, permitted, failure, misfit } = shown;
    const verdict = violation !== undefined ? 'violation' : deviations.length > 0 ? 'deviation' : 'holds';
    const { version } = this.#hardware;
    const counts = { accesses: this.#accesses, repetitions };
    const how = { idleUntil, commandsWait };
    return { verdict, version, violation, ...how, steps, deviations, permitted, failure, misfit, ...counts };
  }

  /** In which other ways the hardware may behave, the likelier to show something first. */
  #repetitions(idle: readonly number[]): Pick<Attempt, 'idleUntil' | 'commandsWait'>[] {
    const { commandsCanWait } = this.#hardware;
    return [0, ...idle].flatMap((idleUntil) => [
      ...(idleUntil === 0 ? [] : [{ idleUntil, commandsWait: false }]),
      ...(commandsCanWait ? [{ idleUntil, commandsWait: true }] : []),
    ]);
  }

  /** One run of the schedule with devices that are idle for the first `idleUntil` steps. */
  async #attempt({ system, schedule }: Loaded, idleUntil: number, commandsWait: boolean): Promise<Attempt> {
    const none = { violation: undefined, permitted: undefined, failure: undefined, misfit: undefined };
    const attempt: Attempt = { steps: [], deviations: [], changes: [], idleUntil, commandsWait, last: [], ...none };
    const { machine } = system;
    const runner = new Runner(system, stepsMax);
    runner.reset();
    this.#current = attempt;
    this.#recorder.take();
    this.#noteTrouble(system, await this.#hardware.boot(this.#boot, commandsWait), attempt);
    await this.#observe({ agent: '', operation: '', label: 'initial state' }, idleUntil === 0, attempt);
    let previous = -1;
    while (attempt.violation === undefined && machine.failure === undefined && runner.steps < stepsMax) {
      const agent = this.#pick(runner, schedule, previous, attempt);
      if (agent < 0) break;
      await this.#step(runner, agent, attempt);
      previous = agent;
    }
    attempt.failure = machine.failure;
    runner.close();
    return attempt;
  }

  async #step(runner: Runner, agent: number, attempt: Attempt): Promise<void> {
    const { system } = runner;
    const node = runner.nodes[agent];
    const spec = system.agents[agent];
    const operation = spec?.operations[node?.operation ?? 0]?.label ?? '';
    runner.stepOnce(agent);
    const effects = this.#recorder.take();
    const at = attempt.steps.length;
    if (effects.length > 0) {
      attempt.changes.push(at);
      this.#noteTrouble(system, await this.#hardware.apply(effects), attempt);
    }
    const fresh = at === attempt.idleUntil || effects.length > 0;
    await this.#observe({ agent: spec?.name ?? '', operation, label: node?.step?.label ?? '' }, fresh, attempt);
  }

  /** The agent of the next step: as scheduled, then the same one as long as it can; -1 when nobody can. */
  #pick(runner: Runner, schedule: readonly number[], previous: number, attempt: Attempt): number {
    const count = runner.enabledAgents(this.#enabled);
    const enabled = this.#enabled.subarray(0, count);
    const wanted = attempt.misfit === undefined ? schedule[runner.steps] : undefined;
    if (wanted !== undefined) {
      if (enabled.includes(wanted)) return wanted;
      attempt.misfit = runner.steps;
    }
    return enabled.includes(previous) ? previous : (enabled[0] ?? -1);
  }

  /**
   * Every access of every device, judged. Where the step did nothing to the hardware (not `fresh`), what was seen last
   * stands for what would be seen now, but a broken promise is confirmed by an access.
   */
  async #observe(step: Omit<EndToEndStep, 'dma'>, fresh: boolean, attempt: Attempt): Promise<void> {
    const dma: DmaObservation[] = [];
    const at = attempt.steps.length;
    const known = attempt.last;
    attempt.steps.push({ ...step, dma });
    if (at < attempt.idleUntil) return;
    const seen: (Reached | undefined)[] = [];
    for (const [index, place] of this.#world.places.entries()) {
      const { slot, device, iova } = place;
      const last = fresh ? undefined : known[index];
      const permitted = last !== undefined && this.#world.judge(slot, asOutcome(last)) === undefined;
      // A device that made no access does not make one because of a step that does nothing to the hardware.
      const silent = !fresh && last === undefined;
      const reached = permitted || silent ? last : await this.#access(place);
      seen.push(reached);
      if (reached === undefined) continue;
      const observation = { device, iova, reached };
      dma.push(observation);
      if (this.#deviates(slot, observation, attempt)) continue;
      const failure = this.#world.judge(slot, asOutcome(reached));
      if (failure !== undefined) attempt.violation ??= { ...observation, step: at, failure };
    }
    attempt.last = seen;
  }

  async #access(place: Place): Promise<Reached | undefined> {
    const reached = await this.#hardware.dma(place);
    if (reached !== undefined) this.#accesses++;
    return reached;
  }

  /** Whether the device did what the architecture does not permit: then software is not to blame for it. */
  #deviates(slot: number, { device, iova, reached }: DmaObservation, attempt: Attempt): boolean {
    const { privileged } = this.#hardware;
    const permitted = this.#world.architecture.outcomesFor(slot, { write: true, privileged, instruction: false });
    if (permitted.some((result) => agrees(reached, result))) return false;
    const expected = new Set(permitted.map((result) => permittedText(result, iova)));
    const message = `A write by ${device} to 0x${iova.toString(16)} came to ${reachedText(reached)}; permitted: ${[...expected].join(', ')}.`;
    attempt.deviations.push({ step: attempt.steps.length - 1, message });
    return true;
  }

  #noteTrouble(system: System, trouble: CommandTrouble | undefined, attempt: Attempt): void {
    // Where the architecture stops at a command too, that is what the software is told of.
    if (trouble === undefined || system.machine.failure !== undefined) return;
    const { error, consumed, prod } = trouble;
    const message = `The command queue stopped at index ${consumed} of ${prod} (CMDQ_CONS.ERR ${error}).`;
    attempt.deviations.push({ step: attempt.steps.length, message });
  }
}

function allOf(changes: readonly number[]): readonly number[] {
  return changes;
}
