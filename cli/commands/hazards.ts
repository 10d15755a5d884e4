import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hunt, type Hunt } from '../../properties/hunt.ts';
import { verify } from '../../properties/verify/verify.ts';
import type { Found, StrategyName } from '../../properties/campaign.ts';
import type { Family, Hazard } from '../../properties/family.ts';
import { reason } from '../../traces/load.ts';
import { plural } from '../../traces/report/text.ts';
import { deviceHazards } from '../../properties/conformance/hazards/index.ts';
import { conformanceFamily } from '../../traces/conformance.ts';
import { checkHazard, deviceHazard, familiesWith, findFamily, type Context } from '../context.ts';
import { deviceSection, sectionOf, withDeviceSection } from '../device-matrix.ts';
import { exitCode, UsageError, type ExitCode } from '../exit.ts';
import { huntElsewhere } from '../hunting.ts';
import { interruptible, type Interrupt } from '../interrupt.ts';
import {
  hazardWidth,
  headText,
  isKilled,
  markdown,
  rowText,
  unexpectedRules,
  type HazardResult,
} from '../kill-matrix.ts';
import { huntDeviceHazard } from './hazards-device.ts';
import { progressText } from '../summary.ts';

/** Options of `stalemate hazards`. */
export interface HazardsCommand {
  readonly family: string | undefined;
  readonly hazard: string | undefined;
  /** Seeds 1 to this. */
  readonly seeds: number;
  /** Budget of one hunt, in seconds of processor time. */
  readonly seconds: number;
  readonly strategies: readonly StrategyName[];
  /** Seconds for making one failure of each hazard small; 0: none. */
  readonly minimiseSeconds: number;
  /** Most operations of programs that are exhausted besides; 0: none. */
  readonly operations: number;
  /** Processes that hunt at a time. */
  readonly workers: number;
  /** A file for the matrix as Markdown. */
  readonly markdown: string | undefined;
  /** The command line as the user wrote it, for the document. */
  readonly how: string;
}

/** Which known mistakes are found, in how many seeds, and how fast: what the harness is worth. */
export async function hazardsCommand(command: HazardsCommand, context: Context): Promise<ExitCode> {
  const { terminal } = context;
  if (command.strategies.length === 0 || command.workers < 1) throw new UsageError('--workers must be 1 or more.');
  const jobs = command.family === conformanceFamily ? deviceJobs(command, context) : softwareJobs(command, context);
  if (command.markdown !== undefined) writeMatrix(command.markdown);
  const width = hazardWidth(jobs.map(({ hazard }) => hazard));
  terminal.print(
    `Random programs, ${plural(command.seeds, 'seed')}, at most ${command.seconds} s of processor time each: ${command.strategies.join(', ')}`,
  );
  terminal.print(headText(command.strategies, width));
  return interruptible(context.terminal, async (interrupt) => {
    const results: HazardResult[] = [];
    // In the order of the families, whichever hunt ends first.
    const done = new Map<number, HazardResult>();
    const show = (index: number, result: HazardResult): void => {
      done.set(index, result);
      for (let next = done.get(results.length); next !== undefined; next = done.get(results.length)) {
        results.push(next);
        if (next.strategies.some(({ hunts }) => hunts.length > 0))
          terminal.print(rowText(next, width, terminal.colour));
        terminal.event({ event: 'hazard', ...next });
      }
    };
    let taken = 0;
    const work = async (): Promise<void> => {
      while (taken < jobs.length && !interrupt.requested()) {
        const index = taken++;
        const job = jobs[index] as Job;
        show(index, await (command.workers > 1 ? huntElsewhere(job, command, interrupt) : job.hunt(interrupt)));
      }
    };
    await Promise.all(Array.from({ length: Math.min(command.workers, jobs.length) }, work));
    return conclude(results, jobs.length, command, context, interrupt);
  });
}

/** One hazard to be hunted, in this process or in one of its own. */
interface Job extends Pick<HazardResult, 'family' | 'hazard' | 'expected'> {
  readonly hunt: (interrupt: Interrupt) => Promise<HazardResult>;
}

function familiesOf({ family, hazard }: HazardsCommand, families: readonly Family[]): readonly Family[] {
  if (family === undefined) return hazard === undefined ? families : familiesWith(families, hazard);
  const named = findFamily(families, family, [conformanceFamily]);
  checkHazard(named, hazard);
  return [named];
}

function softwareJobs(command: HazardsCommand, context: Context): Job[] {
  return familiesOf(command, context.families).flatMap((family) =>
    family.hazards
      .filter(({ id }) => command.hazard === undefined || id === command.hazard)
      .map((hazard) => ({
        family: family.name,
        hazard: hazard.id,
        expected: hazard.expected.map(({ rule }) => rule),
        hunt: (interrupt) => new HazardJob(family, hazard, command, context, interrupt).run(),
      })),
  );
}

function deviceJobs(command: HazardsCommand, { terminal }: Context): Job[] {
  return (command.hazard === undefined ? deviceHazards : [deviceHazard(command.hazard)]).map((device) => ({
    family: conformanceFamily,
    hazard: device.name,
    expected: [device.check],
    hunt: (interrupt) => huntDeviceHazard(device, command, terminal, interrupt),
  }));
}

/** All hunts for one hazard, in this process. */
class HazardJob {
  readonly #family: Family;
  readonly #hazard: Hazard;
  readonly #command: HazardsCommand;
  readonly #context: Context;
  readonly #interrupt: Interrupt;
  #smallest: Found | undefined;

  constructor(family: Family, hazard: Hazard, command: HazardsCommand, context: Context, interrupt: Interrupt) {
    this.#family = family;
    this.#hazard = hazard;
    this.#command = command;
    this.#context = context;
    this.#interrupt = interrupt;
  }

  async run(): Promise<HazardResult> {
    const strategies: { strategy: StrategyName; hunts: Hunt[] }[] = [];
    for (const strategy of this.#command.strategies) strategies.push({ strategy, hunts: await this.#hunts(strategy) });
    const result: HazardResult = {
      family: this.#family.name,
      hazard: this.#hazard.id,
      expected: this.#hazard.expected.map(({ rule }) => rule),
      strategies,
      ...(await this.#minimal()),
      ...(await this.#verified()),
    };
    return this.#interrupt.requested() ? { ...result, interrupted: true } : result;
  }

  async #hunts(strategy: StrategyName): Promise<Hunt[]> {
    const { seeds, seconds } = this.#command;
    const hunts: Hunt[] = [];
    for (let seed = 1; seed <= seeds && !this.#interrupt.requested(); seed++) {
      const { hunt: one, found } = await hunt(this.#family, this.#hazard, {
        seed,
        strategy,
        seconds,
        stop: this.#interrupt.requested,
        onProgress: (summary) =>
          this.#context.terminal.progress(
            `${this.#hazard.id} ${strategy} seed ${seed}: ${progressText(this.#family.name, summary)}`,
          ),
      });
      // A hunt that was cut off says nothing.
      if (found === undefined && this.#interrupt.requested()) break;
      hunts.push(one);
      if (found !== undefined && size(found) < size(this.#smallest)) this.#smallest = found;
    }
    return hunts;
  }

  async #minimal(): Promise<Pick<HazardResult, 'minimal'>> {
    const { minimiseSeconds } = this.#command;
    if (minimiseSeconds <= 0 || this.#smallest === undefined || this.#interrupt.requested()) return {};
    const { signal } = this.#interrupt;
    const result = await this.#context.minimise(this.#family, this.#smallest, { seconds: minimiseSeconds, signal });
    if (result === undefined) return {};
    const { minimal, schedule } = result;
    const proved = minimal.operations === 'proved' && minimal.schedule === 'proved';
    return { minimal: { operations: size(result), switches: minimal.switches, steps: schedule.length, proved } };
  }

  async #verified(): Promise<Pick<HazardResult, 'verified'>> {
    const { operations } = this.#command;
    const { small } = this.#family;
    if (operations === 0 || small === undefined || this.#interrupt.requested()) return {};
    const { rows, found, left } = await verify(this.#family, {
      hazard: this.#hazard.id,
      operations,
      cpus: operations,
      worlds: small.worlds,
      stop: this.#interrupt.requested,
    });
    const last = rows.at(-1);
    if (found !== undefined && last !== undefined) return { verified: last };
    return left.length === 0 ? { verified: { operations: 0, world: '' } } : {};
  }
}

function size(found: Found | undefined): number {
  return found?.program.agents.reduce((sum, { operations }) => sum + operations.length, 0) ?? Infinity;
}

function conclude(
  results: readonly HazardResult[],
  jobs: number,
  command: HazardsCommand,
  { terminal }: Context,
  interrupt: Interrupt,
): ExitCode {
  const broken = results.filter((result) => result.broken !== undefined);
  const whole =
    !interrupt.requested() && results.length === jobs && results.every((result) => result.interrupted !== true);
  const judges: readonly StrategyName[] = command.strategies.includes('portfolio') ? ['portfolio'] : command.strategies;
  const survivors = results.filter((result) => !judges.every((strategy) => isKilled(result, strategy)));
  const unexpected = results.filter((result) => unexpectedRules(result).length > 0);
  for (const result of unexpected)
    terminal.print(
      `Note: ${result.hazard} was also found as ${unexpectedRules(result).join(', ')}, which it does not say that it shows as.`,
    );
  if (whole && broken.length > 0) terminal.print(`${plural(broken.length, 'hazard')} could not be hunted.`);
  else if (!whole) {
    const hunted = results.filter((result) => result.interrupted !== true).length;
    terminal.print(`Interrupted: ${hunted} of ${plural(jobs, 'hazard')} hunted.`);
  } else if (survivors.length === 0)
    terminal.print(`${judges.join(' and ')} found every hazard (${jobs}) from every seed.`);
  else
    terminal.print(
      `${plural(survivors.length, 'hazard')} not found from every seed by ${judges.join(' and ')}: ${survivors.map(({ hazard }) => hazard).join(', ')}.`,
    );
  if (command.markdown !== undefined && whole && broken.length === 0)
    writeMatrix(command.markdown, documentOf(results, command));
  if (!whole) return exitCode.interrupted;
  return survivors.length === 0 ? exitCode.holds : exitCode.harness;
}

/** The matrix. What software and devices each make leaves the section of the other as it is. */
function documentOf(results: readonly HazardResult[], { family, markdown: file = '', how }: HazardsCommand): string {
  const known = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (family === conformanceFamily) return withDeviceSection(known, deviceSection(results, how));
  const devices = sectionOf(known);
  const made = markdown(results, how);
  return devices === '' ? made : withDeviceSection(made, devices);
}

/** Writes, or with no text checks before the long work that it can be written. */
function writeMatrix(file: string, text = ''): void {
  try {
    writeFileSync(file, text, { flag: text === '' ? 'a' : 'w' });
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${reason(error)}`);
  }
}
