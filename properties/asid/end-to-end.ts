/**
 * The end-to-end check: a program of kernel software, under a given schedule, on a real device.
 *
 * The software runs step by step over the architecture, which also tells what it promises (the contract) and what
 * hardware may do. What each step does to memory and registers is done to QEMU's machine as well, and between steps real
 * PCI devices make a DMA to every page that the program may name. Where such a DMA arrives must be permitted by the
 * contract: if it is not, the software fails on this device too. It must also be permitted by the architecture: if it is
 * not, it is the device that is wrong.
 *
 * A device that is always busy caches a lot, but one that was idle fetches what is in memory at an unlucky moment. So if
 * the busy one shows nothing, the schedule is repeated with devices that stay idle up to each step in turn.
 */
import type { Failure } from '../../engine/failure.ts';
import { AGENTS_MAX } from '../../engine/machine.ts';
import { Runner } from '../../engine/run.ts';
import type { System } from '../../engine/system.ts';
import type { Configuration, Program } from '../family.ts';
import { asidConfiguration, kernelConfig } from './configuration.ts';
import { EffectRecorder, type Effect } from './end-to-end/effects.ts';
import type { CommandTrouble, Hardware } from './end-to-end/hardware.ts';
import { whyNot } from './end-to-end/feasibility.ts';
import { agrees, asOutcome, reachedText, type Reached } from './end-to-end/outcome.ts';
import type {
  DeviceDeviation,
  DmaObservation,
  EndToEndFinding,
  EndToEndObserved,
  EndToEndResult,
  EndToEndStep,
} from './end-to-end/result.ts';
import { QemuHardware } from './end-to-end/qemu-hardware.ts';
import { hazardNamed } from './index.ts';
import { AsidWorld } from './world.ts';

export { reachedText } from './end-to-end/outcome.ts';
export type * from './end-to-end/result.ts';

/** What to run: the agent index of each step, or what gives it for the system that runs on the device. */
export interface EndToEndRun {
  readonly configuration: Configuration;
  readonly hazard?: string | undefined;
  readonly program: Program;
  readonly schedule: readonly number[] | ((system: System) => readonly number[]);
}

/** Steps after which a program that does not end is left. */
const stepsMax = 4_000;

/**
 * Replays a schedule on a live QEMU. After the schedule's end the program runs on to its own, agent by agent: a mistake that
 * the architecture notices early may be seen by a device only later.
 *
 * @throws QemuMissing if there is no QEMU, QemuGone if it ends meanwhile, RangeError for a hazard, a configuration or an
 *   operation that there is not.
 */
export async function replayOnQemu(run: EndToEndRun): Promise<EndToEndResult> {
  const hardware = await QemuHardware.start(kernelConfig(asidConfiguration(run.configuration)).memory);
  try {
    return await replayOn(run, hardware);
  } finally {
    await hardware.stop();
  }
}

/** Replays a schedule on any hardware; see `replayOnQemu`. */
export async function replayOn(run: EndToEndRun, hardware: Hardware): Promise<EndToEndResult> {
  const reason = whyNot(asidConfiguration(run.configuration), run.program, hardware.features);
  return reason === undefined ? new EndToEnd(run, hardware).run() : { verdict: 'not-possible', reason };
}

interface Attempt {
  readonly steps: EndToEndStep[];
  readonly deviations: DeviceDeviation[];
  /** Steps that did something to the hardware. */
  readonly changes: number[];
  readonly idleUntil: number;
  violation: EndToEndFinding | undefined;
  permitted: EndToEndObserved['permitted'];
  failure: Failure | undefined;
  misfit: number | undefined;
}

/** A page that a device can access, and its slot in the architecture's universe. */
interface Place {
  readonly slot: number;
  readonly device: string;
  readonly streamId: number;
  readonly iova: number;
}

class EndToEnd {
  readonly #hardware: Hardware;
  readonly #world: AsidWorld;
  readonly #system: System;
  readonly #schedule: readonly number[];
  readonly #recorder = new EffectRecorder();
  readonly #boot: readonly Effect[];
  readonly #enabled = new Int32Array(AGENTS_MAX);
  readonly #places: readonly Place[];
  #current: Attempt | undefined;
  #accesses = 0;

  constructor({ configuration, hazard, program, schedule }: EndToEndRun, hardware: Hardware) {
    this.#hardware = hardware;
    const { features } = hardware;
    const parts = hazard === undefined ? {} : hazardNamed(hazard).parts;
    // What the architecture merely may break does not end the run: this is about what the device does break.
    const onViolation = (failure: Failure): void => {
      const attempt = this.#current;
      if (attempt !== undefined) attempt.permitted ??= { step: attempt.steps.length, failure };
    };
    const options = { features, substreamBits: features.ssidSize, tap: this.#recorder, onViolation };
    this.#world = new AsidWorld(configuration, parts, options);
    this.#boot = this.#recorder.take();
    this.#system = this.#world.load(program);
    this.#schedule = typeof schedule === 'function' ? schedule(this.#system) : schedule;
    const { kernel, architecture } = this.#world;
    this.#places = architecture.universe.slots.flatMap(({ streamId, substream, va }, slot) => {
      const device = kernel.masters.find((master) => master.streamId === streamId)?.name ?? '';
      return substream >= 0 ? [] : [{ slot, device, streamId, iova: va }];
    });
  }

  async run(): Promise<EndToEndObserved> {
    const first = await this.#attempt(0);
    const { deviations } = first;
    let shown = first;
    let repetitions = 1;
    for (const idle of first.changes) {
      if (shown.violation !== undefined) break;
      const attempt = await this.#attempt(idle);
      repetitions++;
      if (attempt.violation !== undefined) shown = attempt;
      for (const deviation of attempt.deviations)
        if (deviations.every(({ message }) => message !== deviation.message)) deviations.push(deviation);
    }
    const { violation, idleUntil, steps, permitted, failure, misfit } = shown;
    const verdict = violation !== undefined ? 'violation' : deviations.length > 0 ? 'deviation' : 'holds';
    const { version } = this.#hardware;
    const counts = { accesses: this.#accesses, repetitions };
    return { verdict, version, violation, idleUntil, steps, deviations, permitted, failure, misfit, ...counts };
  }

  /** One run of the schedule with devices that are idle for the first `idleUntil` steps. */
  async #attempt(idleUntil: number): Promise<Attempt> {
    const none = { violation: undefined, permitted: undefined, failure: undefined, misfit: undefined };
    const attempt: Attempt = { steps: [], deviations: [], changes: [], idleUntil, ...none };
    this.#current = attempt;
    const { machine } = this.#system;
    const runner = new Runner(this.#system, stepsMax);
    runner.reset();
    this.#recorder.take();
    this.#noteTrouble(await this.#hardware.boot(this.#boot), attempt);
    await this.#observe({ agent: '', operation: '', label: 'initial state' }, idleUntil === 0, attempt);
    let previous = -1;
    while (attempt.violation === undefined && machine.failure === undefined && runner.steps < stepsMax) {
      const agent = this.#pick(runner, previous, attempt);
      if (agent < 0) break;
      await this.#step(runner, agent, attempt);
      previous = agent;
    }
    attempt.failure = machine.failure;
    runner.close();
    return attempt;
  }

  async #step(runner: Runner, agent: number, attempt: Attempt): Promise<void> {
    const node = runner.nodes[agent];
    const spec = this.#system.agents[agent];
    const operation = spec?.operations[node?.operation ?? 0]?.label ?? '';
    runner.stepOnce(agent);
    const effects = this.#recorder.take();
    const at = attempt.steps.length;
    if (effects.length > 0) {
      attempt.changes.push(at);
      this.#noteTrouble(await this.#hardware.apply(effects), attempt);
    }
    const fresh = at === attempt.idleUntil || effects.length > 0;
    await this.#observe({ agent: spec?.name ?? '', operation, label: node?.step?.label ?? '' }, fresh, attempt);
  }

  /** The agent of the next step: as scheduled, then the same one as long as it can; -1 when nobody can. */
  #pick(runner: Runner, previous: number, attempt: Attempt): number {
    const count = runner.enabledAgents(this.#enabled);
    const enabled = this.#enabled.subarray(0, count);
    const wanted = attempt.misfit === undefined ? this.#schedule[runner.steps] : undefined;
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
    const known = attempt.steps.at(-1)?.dma ?? [];
    attempt.steps.push({ ...step, dma });
    if (at < attempt.idleUntil) return;
    for (const { slot, device, streamId, iova } of this.#places) {
      const last = fresh ? undefined : known[dma.length]?.reached;
      const permitted = last !== undefined && this.#world.judge(slot, asOutcome(last)) === undefined;
      const observation = { device, iova, reached: permitted ? last : await this.#access(streamId, iova) };
      dma.push(observation);
      if (this.#deviates(slot, observation, attempt)) continue;
      const failure = this.#world.judge(slot, asOutcome(observation.reached));
      if (failure !== undefined) attempt.violation ??= { ...observation, step: at, failure };
    }
  }

  #access(streamId: number, iova: number): Promise<Reached> {
    this.#accesses++;
    return this.#hardware.dma(streamId, iova);
  }

  /** Whether the device did what the architecture does not permit: then software is not to blame for it. */
  #deviates(slot: number, { device, iova, reached }: DmaObservation, attempt: Attempt): boolean {
    // QEMU takes every access for a privileged one.
    const access = { write: true, privileged: true, instruction: false };
    const permitted = this.#world.architecture.outcomesFor(slot, access);
    if (permitted.some((result) => agrees(reached, result))) return false;
    const expected = permitted.map((result) =>
      result.kind === 'translation'
        ? reachedText({ kind: 'page', pa: result.pa })
        : result.kind === 'fault'
          ? reachedText(result)
          : result.kind,
    );
    const message = `A write by ${device} to 0x${iova.toString(16)} came to ${reachedText(reached)}; permitted: ${expected.join(', ')}.`;
    attempt.deviations.push({ step: attempt.steps.length - 1, message });
    return true;
  }

  #noteTrouble(trouble: CommandTrouble | undefined, attempt: Attempt): void {
    // Where the architecture stops at a command too, that is what the software is told of.
    if (trouble === undefined || this.#system.machine.failure !== undefined) return;
    const { error, consumed, prod } = trouble;
    const message = `The command queue stopped at index ${consumed} of ${prod} (CMDQ_CONS.ERR ${error}).`;
    attempt.deviations.push({ step: attempt.steps.length, message });
  }
}
