import { findQemuArm } from '../../impl/qemu/index.ts';
import { fuzz, type FuzzSummary, type StrategyName } from '../../properties/campaign.ts';
import type { Family } from '../../properties/family.ts';
import { fingerprint } from '../../engine/failure.ts';
import { grouped, plural } from '../../traces/report/text.ts';
import { paint } from '../../traces/report/paint.ts';
import { checkHazard, findFamily, unknown, type Context } from '../context.ts';
import { exitCode, UsageError, worst, type ExitCode } from '../exit.ts';
import { Finding } from '../findings.ts';
import { interruptible, type Interrupt } from '../interrupt.ts';
import { progressText, rate, summaryLines, unreached, witnessSecondsMin } from '../summary.ts';
import { conformanceFamily, conformanceTargets } from '../../traces/conformance.ts';
import { fuzzDevice } from './fuzz-device.ts';

/** Options of `stalemate fuzz`, checked and with defaults. */
export interface FuzzCommand {
  readonly families: readonly string[];
  readonly target: string | undefined;
  readonly hazard: string | undefined;
  readonly seed: number;
  readonly seconds: number | undefined;
  readonly runs: number | undefined;
  readonly strategy: StrategyName;
  readonly out: string;
  readonly minimiseSeconds: number;
  /** Go on after a failure, and look for different ones. */
  readonly keepGoing: boolean;
}

/** Random programs under random schedules. */
export async function fuzzCommand(command: FuzzCommand, context: Context): Promise<ExitCode> {
  const names = command.families.length > 0 ? command.families : [context.families[0]?.name ?? ''];
  const jobs = names.map((name) => jobFor(name, command, context));
  return interruptible(context.terminal, async (interrupt) => {
    const codes: ExitCode[] = [];
    for (const job of jobs) if (!interrupt.requested()) codes.push(await job(interrupt));
    return worst(codes);
  });
}

/** Everything is checked before the first job runs. */
function jobFor(name: string, command: FuzzCommand, context: Context): (interrupt: Interrupt) => Promise<ExitCode> {
  if (name === conformanceFamily) return fuzzDevice(command, context);
  const family = findFamily(context.families, name, [conformanceFamily]);
  checkHazard(family, command.hazard);
  const { target } = command;
  if (target !== undefined && !conformanceTargets.some((known) => known === target))
    throw unknown('target', target, conformanceTargets);
  if (target !== undefined && target !== 'architecture')
    throw new UsageError(
      `The family ${name} runs on the target architecture; ${target} is checked by: stalemate fuzz ${conformanceFamily} --target ${target}`,
    );
  return (interrupt) => new FuzzJob(family, command, context).run(interrupt);
}

class FuzzJob {
  readonly #family: Family;
  readonly #command: FuzzCommand;
  readonly #context: Context;
  readonly #findings = new Map<string, Finding>();

  constructor(family: Family, command: FuzzCommand, context: Context) {
    this.#family = family;
    this.#command = command;
    this.#context = context;
  }

  async run(interrupt: Interrupt): Promise<ExitCode> {
    const { terminal } = this.#context;
    const { hazard, seed, seconds, runs, strategy } = this.#command;
    const { name } = this.#family;
    terminal.print(
      `${name} · ${hazard === undefined ? 'correct implementation' : `hazard ${hazard}`} · seed ${seed} · ${strategy}`,
    );
    const summary = await fuzz(this.#family, {
      seed,
      strategy,
      stop: interrupt.requested,
      ...(hazard === undefined ? {} : { hazard }),
      ...(seconds === undefined ? {} : { seconds }),
      ...(runs === undefined ? {} : { runs }),
      onProgress: (progress) => terminal.progress(progressText(name, progress)),
      onFound: (found) => {
        const key = fingerprint(found.failure);
        if (!this.#findings.has(key))
          this.#findings.set(key, new Finding(this.#family, found, this.#context, this.#command));
        return this.#command.keepGoing ? 'continue' : 'stop';
      },
    });
    for (const finding of this.#findings.values()) await finding.conclude(interrupt);
    return this.#conclude(summary, interrupt);
  }

  #conclude(summary: FuzzSummary, interrupt: Interrupt): ExitCode {
    const { terminal } = this.#context;
    const { hazard, seed } = this.#command;
    const found = this.#findings.size;
    const missing = hazard === undefined && found === 0 ? unreached(this.#family, summary) : [];
    const vacuous = missing.length > 0 && !interrupt.requested();
    const long = summary.seconds >= witnessSecondsMin;
    const verdict =
      found > 0 ? 'violated' : vacuous && long ? 'vacuous' : interrupt.requested() ? 'interrupted' : 'holds';
    const inks = paint(terminal.colour);
    const did = `${plural(summary.executions, 'execution')} of ${plural(summary.programs, 'program')} in ${summary.seconds.toFixed(1)} s (${rate(summary.executions, summary.seconds)}, seed ${seed})`;
    const what = {
      violated: inks.bad(`✗ ${this.#family.name}: ${plural(found, 'different failure')} in ${did}`),
      vacuous: inks.bad(
        `✗ ${this.#family.name} held, but the run shows too little: ${missing.join(', ')} never reached; ${did}`,
      ),
      interrupted: `${this.#family.name} held until it was interrupted: ${did}`,
      holds: inks.good(`✓ ${this.#family.name} holds: ${did}`),
    }[verdict];
    const details = verdict === 'violated' ? [] : summaryLines(this.#family, summary, this.#skipped());
    terminal.print([what, ...details].join('\n'));
    if (vacuous && !long)
      terminal.warn(
        `Note: ${missing.join(', ')} not reached; a run of ${grouped(witnessSecondsMin)} s or more would fail for that.`,
      );
    terminal.event({
      event: 'summary',
      family: this.#family.name,
      hazard,
      seed,
      verdict,
      unreached: missing,
      ...summary,
    });
    return {
      violated: exitCode.violation,
      vacuous: exitCode.harness,
      interrupted: exitCode.interrupted,
      holds: exitCode.holds,
    }[verdict];
  }

  #skipped(): string[] {
    if (this.#command.families.length > 0) return [];
    const how = `stalemate fuzz ${conformanceFamily} --target qemu-smmuv3`;
    const missing = findQemuArm() === undefined ? ', which is not installed here (stalemate doctor says how)' : '';
    return [`device models: QEMU's SMMUv3${missing} is checked by: ${how}`];
  }
}
