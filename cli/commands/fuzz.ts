import { findQemuArm } from '../../impl/qemu/index.ts';
import type { Found, FuzzSummary, StrategyName } from '../../properties/campaign.ts';
import type { Family } from '../../properties/family.ts';
import { fingerprint } from '../../engine/failure.ts';
import { grouped, plural } from '../../traces/report/text.ts';
import { paint } from '../../traces/report/paint.ts';
import { checkHazard, familiesWith, findFamily, unknown, type Context } from '../context.ts';
import { exitCode, UsageError, worst, type ExitCode } from '../exit.ts';
import { Finding } from '../findings.ts';
import { FuzzProgress, type FoundBy } from '../fuzzing-progress.ts';
import { interruptible, type Interrupt } from '../interrupt.ts';
import { progressText, rate, summaryLines, unreached, witnessExecutionsMin } from '../summary.ts';
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
  /** Campaigns side by side. */
  readonly workers: number;
  /** A file to keep the progress in, and to go on from. */
  readonly checkpoint: string | undefined;
  /** A second device, for what only one of the two does. */
  readonly against?: string | undefined;
}

/** Seconds for each family in the main job. */
const MAIN_JOB_SECONDS = 10;

/** Random programs under random schedules. */
export async function fuzzCommand(command: FuzzCommand, context: Context): Promise<ExitCode> {
  const main = isMainJob(command);
  const names = main ? [...context.families.map(({ name }) => name), conformanceFamily] : namesOf(command, context);
  if (command.workers < 1) throw new UsageError('--workers must be 1 or more.');
  if (command.checkpoint !== undefined && (names.length !== 1 || names.includes(conformanceFamily)))
    throw new UsageError('--checkpoint is for one family of software at a time: name it.');
  const { seconds = command.runs === undefined ? MAIN_JOB_SECONDS : undefined } = command;
  const each = main ? { ...command, seconds, target: 'builtin' } : command;
  const jobs = names.map((name) =>
    jobFor(name, main && name !== conformanceFamily ? { ...each, target: undefined } : each, context),
  );
  return interruptible(context.terminal, async (interrupt) => {
    const codes: ExitCode[] = [];
    for (const job of jobs) if (!interrupt.requested()) codes.push(await job(interrupt));
    if (main && !interrupt.requested()) context.terminal.print(notChecked());
    return worst(codes);
  });
}

/** Without a family, everything is run that this machine is sure to have: all software, and our own device. */
function isMainJob({ families, hazard, target, against, checkpoint }: FuzzCommand): boolean {
  return families.length === 0 && [hazard, target, against, checkpoint].every((option) => option === undefined);
}

/** The families meant: those named, or those that an option belongs to. */
function namesOf({ families, hazard, target, against }: FuzzCommand, context: Context): readonly string[] {
  if (families.length > 0) return families;
  if (target !== undefined || against !== undefined) return [conformanceFamily];
  if (hazard === undefined) return [];
  return familiesWith(context.families, hazard).map(({ name }) => name);
}

function notChecked(): string {
  const missing = findQemuArm() === undefined ? ', which is not installed here (stalemate doctor says how)' : '';
  return `Not checked: QEMU's SMMUv3${missing}: stalemate fuzz ${conformanceFamily} --target qemu-smmuv3`;
}

/** Everything is checked before the first job runs. */
function jobFor(name: string, command: FuzzCommand, context: Context): (interrupt: Interrupt) => Promise<ExitCode> {
  if (name === conformanceFamily) return fuzzDevice(command, context);
  if (command.against !== undefined)
    throw new UsageError(
      `--against compares devices: stalemate fuzz ${conformanceFamily} --against ${command.against}`,
    );
  const family = findFamily(context.families, name, [conformanceFamily]);
  checkHazard(family, command.hazard);
  const { target } = command;
  if (target !== undefined && !conformanceTargets.some((known) => known === target))
    throw unknown('target', target, conformanceTargets);
  if (target !== undefined && target !== 'architecture')
    throw new UsageError(
      `The family ${name} runs on the target architecture; ${target} is checked by: stalemate fuzz ${conformanceFamily} --target ${target}`,
    );
  const { hazard, seed, seconds, runs, strategy, keepGoing, workers, checkpoint } = command;
  const what = { family: name, hazard, seed, strategy, software: context.software };
  const run = { workers, limits: { seconds, runs }, keepGoing, what };
  const progress = new FuzzProgress(checkpoint, run, context.terminal);
  return (interrupt) => new FuzzJob(family, command, context, progress).run(interrupt);
}

/** A failure of a run, and the first campaign that found it. */
interface Held {
  readonly by: FoundBy;
  readonly finding: Finding;
}

class FuzzJob {
  readonly #family: Family;
  readonly #command: FuzzCommand;
  readonly #context: Context;
  readonly #progress: FuzzProgress;
  readonly #findings = new Map<string, Held>();

  constructor(family: Family, command: FuzzCommand, context: Context, progress: FuzzProgress) {
    this.#progress = progress;
    this.#family = family;
    this.#command = command;
    this.#context = context;
  }

  async run(interrupt: Interrupt): Promise<ExitCode> {
    const { terminal } = this.#context;
    const { hazard, seed, strategy, workers } = this.#command;
    const { name } = this.#family;
    terminal.print(
      `${name} · ${hazard === undefined ? 'correct implementation' : `hazard ${hazard}`} · seed ${seed} · ${strategy}${workers === 1 ? '' : ` · ${workers} workers`}`,
    );
    this.#sayWhatWasBefore();
    const summary = this.#progress.finished ?? (await this.#run(interrupt));
    for (const { by, finding } of this.#findings.values()) {
      await finding.conclude(interrupt);
      if (!interrupt.requested()) this.#progress.conclude(by, finding.file ?? '');
    }
    return this.#conclude(summary, interrupt);
  }

  async #run(interrupt: Interrupt): Promise<FuzzSummary> {
    const { hazard, seed, seconds, runs, strategy, workers, keepGoing } = this.#command;
    const options = {
      seed,
      strategy,
      ...(hazard === undefined ? {} : { hazard }),
      ...(seconds === undefined ? {} : { seconds }),
      ...(runs === undefined ? {} : { runs }),
    };
    const from = this.#progress.states;
    const plan = { family: this.#family, options, workers, keepGoing, from, signal: interrupt.signal };
    const summary = await this.#context.campaigns(plan, {
      onProgress: (progress) => this.#context.terminal.progress(progressText(this.#family.name, progress)),
      onFound: (worker, found) => this.#hold(worker, found),
      onRound: (worker, state) => this.#progress.reach(worker, state),
    });
    if (interrupt.requested()) this.#progress.write();
    else this.#progress.finish(summary);
    return summary;
  }

  /** Saves a failure, unless the same has been found; of several campaigns' the one that took fewest executions counts. */
  #hold(worker: number, found: Found): void {
    const key = fingerprint(found.failure);
    const known = this.#findings.get(key)?.by;
    if (known !== undefined && !isEarlier(worker, found, known)) return;
    const by = { worker, found };
    this.#findings.set(key, { by, finding: new Finding(this.#family, found, this.#context, this.#command) });
    this.#progress.find(by);
  }

  #sayWhatWasBefore(): void {
    const { found, states, finished } = this.#progress;
    const before = found.splice(0);
    const rounds = states.reduce((sum, state) => sum + (state?.round ?? 0), 0);
    const { terminal } = this.#context;
    if (finished !== undefined) terminal.warn(`All of this run is in ${this.#command.checkpoint ?? ''} already.`);
    else if (rounds > 0)
      terminal.warn(`Going on from ${this.#command.checkpoint ?? ''}, after ${plural(rounds, 'round')}.`);
    for (const by of before) {
      if (by.concluded === undefined) this.#hold(by.worker, by.found);
      else {
        found.push(by);
        terminal.warn(`Found before: ${fingerprint(by.found.failure)}; saved as ${by.concluded}.`);
      }
    }
  }

  #conclude(summary: FuzzSummary, interrupt: Interrupt): ExitCode {
    const { terminal } = this.#context;
    const { hazard, seed } = this.#command;
    const found = new Set(this.#progress.found.map((by) => fingerprint(by.found.failure))).size;
    const missing = hazard === undefined && found === 0 ? unreached(this.#family, summary) : [];
    const vacuous = missing.length > 0 && !interrupt.requested();
    const long = summary.executions >= witnessExecutionsMin;
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
    const details = verdict === 'violated' ? [] : summaryLines(this.#family, summary);
    terminal.print([what, ...details].join('\n'));
    if (vacuous && !long)
      terminal.warn(
        `Note: ${missing.join(', ')} not reached; a run of ${grouped(witnessExecutionsMin)} executions or more would fail for that.`,
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
}

function isEarlier(worker: number, found: Found, known: FoundBy): boolean {
  const [executions, others] = [found.provenance.executions, known.found.provenance.executions];
  return executions < others || (executions === others && worker < known.worker);
}
