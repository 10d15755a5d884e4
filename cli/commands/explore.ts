import type { SearchOptions } from '../../engine/search/options.ts';
import type { PlainOptions } from '../../engine/search/parallel/job.ts';
import type { ParallelOptions } from '../../engine/search/parallel/threads.ts';
import type { Family, Litmus } from '../../properties/family.ts';
import { grouped, plural } from '../../traces/report/text.ts';
import { checkHazard, unknown, type Context } from '../context.ts';
import { exitCode, UsageError, worst, type ExitCode } from '../exit.ts';
import { ALLOCATOR_NAMES, allocatorsCommand } from '../exploration/allocators.ts';
import { digestOf, Progress } from '../exploration/progress.ts';
import { codeOf, rowOf, Table, type Exploration, type Row } from '../exploration/row.ts';
import { Finding } from '../findings.ts';
import { interruptible, type Interrupt } from '../interrupt.ts';
import type { Searcher, WorldDescription } from '../searchers.ts';

/** Options of `stalemate explore`. */
export interface ExploreCommand {
  /** A family, or a litmus as `family/litmus` or by its bare name, or one of `ALLOCATOR_NAMES`. */
  readonly name: string;
  /** Only this hazard; its violation is then the result, with a report and a trace. */
  readonly hazard: string | undefined;
  readonly statesMax: number;
  /** Only schedules with up to so many context switches. */
  readonly switchesMax?: number | undefined;
  /** How states are remembered, and the memory for those that are not remembered in full, in megabytes. */
  readonly visited?: SearchOptions['visited'];
  readonly memoryMb?: number | undefined;
  readonly out: string;
  /** Threads. */
  readonly workers: number;
  /** A file to keep the progress in, and to go on from. */
  readonly checkpoint: string | undefined;
}

/** Seconds between two checkpoints of one search, at first; large ones are written less often. */
const CHECKPOINT_SECONDS = 1;

/** Every interleaving of litmus programs: they hold on the correct implementation and are violated under their hazards. */
export async function exploreCommand(command: ExploreCommand, context: Context): Promise<ExitCode> {
  if (ALLOCATOR_NAMES.includes(command.name)) return allocatorsCommand(command, context);
  const { family, litmus } = select(command.name, context.families);
  checkHazard(family, command.hazard);
  if (command.workers < 1) throw new UsageError('--workers must be 1 or more.');
  const { name, hazard, statesMax, switchesMax, visited = 'full' } = command;
  const partial = switchesMax !== undefined || visited !== 'full';
  if (command.memoryMb !== undefined && (command.memoryMb < 1 || command.memoryMb > 4096))
    throw new UsageError('--memory must be 1 to 4096 megabytes.');
  if (partial && command.checkpoint !== undefined)
    throw new UsageError(
      '--checkpoint keeps states in full and knows no bound on switches: leave out the other option.',
    );
  const what = { name, hazard, states: statesMax, programs: digestOf(litmus), software: context.software };
  const progress = new Progress(command.checkpoint, what, context.terminal);
  const searcher = context.searcher(command.workers);
  try {
    return await interruptible(context.terminal, (interrupt) =>
      new ExploreJob(family, litmus, { command, context, progress, searcher, interrupt }).run(),
    );
  } finally {
    await searcher.close();
  }
}

function select(name: string, families: readonly Family[]): { family: Family; litmus: readonly Litmus[] } {
  const family = families.find((candidate) => candidate.name === name);
  if (family !== undefined) return { family, litmus: family.litmus };
  for (const candidate of families) {
    const one = candidate.litmus.find(({ id }) => id === name || `${candidate.name}/${id}` === name);
    if (one !== undefined) return { family: candidate, litmus: [one] };
  }
  throw unknown('family or litmus', name, [
    ...families.flatMap((one) => [one.name, ...one.litmus.map(({ id }) => id)]),
    ...ALLOCATOR_NAMES,
  ]);
}

interface Parts {
  readonly command: ExploreCommand;
  readonly context: Context;
  readonly progress: Progress;
  readonly searcher: Searcher;
  readonly interrupt: Interrupt;
}

class ExploreJob {
  readonly #family: Family;
  readonly #litmus: readonly Litmus[];
  readonly #parts: Parts;
  readonly #explorations: readonly Exploration[];

  constructor(family: Family, litmus: readonly Litmus[], parts: Parts) {
    this.#family = family;
    this.#litmus = litmus;
    this.#parts = parts;
    const { hazard } = parts.command;
    this.#explorations = litmus.flatMap((one) =>
      (hazard === undefined ? [undefined, ...one.hazards] : [hazard]).map((each) => ({ litmus: one, hazard: each })),
    );
  }

  async run(): Promise<ExitCode> {
    const { command, context, progress, interrupt } = this.#parts;
    const { terminal } = context;
    const all = this.#explorations;
    if (progress.finished > 0)
      terminal.warn(`Going on from ${command.checkpoint ?? ''}: ${progress.finished} of ${all.length} done before.`);
    const table = new Table(this.#family, this.#litmus, terminal.colour, command.switchesMax);
    terminal.print(table.head());
    const rows = all.map((exploration) => this.#explore(exploration));
    // The first that breaks is thrown below, when its turn comes.
    for (const row of rows) row.catch(() => undefined);
    const codes: ExitCode[] = [];
    for (const waiting of rows) {
      const row = await waiting;
      if (row === undefined) continue;
      terminal.print(table.line(row));
      const { verdict: ended, ...counts } = row.result;
      const what = { family: this.#family.name, litmus: row.litmus.id, hazard: row.hazard, verdict: row.verdict };
      terminal.event({ event: 'explored', ...what, ended, seconds: row.seconds, ...counts });
      if (this.#isReported(row)) await this.#finding(row)?.conclude(interrupt);
      codes.push(codeOf(row, command.hazard !== undefined));
    }
    progress.write();
    return this.#end(codes);
  }

  /** Undefined: interrupted. */
  async #explore(exploration: Exploration): Promise<Row | undefined> {
    const { progress, searcher, interrupt, command, context } = this.#parts;
    const done = progress.done(exploration);
    if (done !== undefined) return rowOf(this.#family, exploration, done.result, done.seconds);
    if (interrupt.requested()) return undefined;
    const { litmus, hazard } = exploration;
    const before = progress.underWay(exploration);
    let started = performance.now();
    const seconds = (): number => (before?.seconds ?? 0) + (performance.now() - started) / 1000;
    const description: WorldDescription = {
      family: this.#family.name,
      hazard,
      configuration: litmus.configuration,
      program: litmus.program,
    };
    // A hazard's counterexample is wanted short; the absence of one is shown with less memory depth first.
    const options = this.#optionsFor(hazard);
    const parallel: ParallelOptions = {
      // Many explorations keep the threads busy by themselves; one has them all.
      threads: this.#litmus.length === 1 && this.#isPlain() ? searcher.size : 1,
      signal: interrupt.signal,
      onStart: () => (started = performance.now()),
      onProgress: (states) =>
        context.terminal.progress(`${litmus.id}, ${hazard ?? 'correct'}: ${grouped(states)} states`),
      ...(before === undefined ? {} : { from: before.state }),
      ...(command.checkpoint === undefined
        ? {}
        : {
            checkpoint: {
              seconds: CHECKPOINT_SECONDS,
              save: (state) => progress.reach(exploration, { state, seconds: seconds() }),
            },
          }),
    };
    const result = await searcher.search({ description, options }, parallel);
    if (result.bound === 'stopped') return undefined;
    const row = rowOf(this.#family, exploration, result, seconds());
    // What is found is on disk before the checkpoint says that it has been found.
    if (this.#isReported(row)) this.#finding(row);
    progress.finish(exploration, { result, seconds: row.seconds });
    return row;
  }

  /** True if the search is one that several threads can share. */
  #isPlain(): boolean {
    const { switchesMax, visited = 'full' } = this.#parts.command;
    return switchesMax === undefined && visited === 'full';
  }

  #optionsFor(hazard: string | undefined): PlainOptions {
    const { statesMax, switchesMax, visited, memoryMb } = this.#parts.command;
    return {
      order: hazard === undefined ? 'dfs' : 'bfs',
      statesMax,
      ...(switchesMax === undefined ? {} : { switchesMax }),
      ...(visited === undefined ? {} : { visited }),
      ...(memoryMb === undefined ? {} : { memoryMb }),
    };
  }

  #isReported({ verdict, hazard }: Row): boolean {
    return (
      this.#parts.command.hazard !== undefined ||
      verdict === 'unexpected' ||
      (verdict === 'violated' && hazard === undefined)
    );
  }

  /** The failure of a row, saved. */
  readonly #findings = new Map<Exploration['litmus'], Map<string, Finding>>();

  #finding({ litmus, hazard, result }: Row): Finding | undefined {
    if (result.failure === undefined || result.schedule === undefined) return undefined;
    const ofLitmus = this.#findings.get(litmus) ?? new Map<string, Finding>();
    this.#findings.set(litmus, ofLitmus);
    const known = ofLitmus.get(hazard ?? '');
    if (known !== undefined) return known;
    const finding = new Finding(
      this.#family,
      {
        family: this.#family.name,
        ...(hazard === undefined ? {} : { hazard }),
        configuration: litmus.configuration,
        program: litmus.program,
        schedule: result.schedule,
        failure: result.failure,
        provenance: { seed: 0, strategy: `explore ${litmus.id}`, executions: result.ends + 1, seconds: 0 },
      },
      this.#parts.context,
      { out: this.#parts.command.out, minimiseSeconds: 0 },
    );
    ofLitmus.set(hazard ?? '', finding);
    return finding;
  }

  #end(codes: readonly ExitCode[]): ExitCode {
    const { command, context } = this.#parts;
    const total = this.#explorations.length;
    const explored = plural(codes.length, 'exploration');
    const code = worst(codes);
    if (codes.length < total) {
      const how =
        command.checkpoint === undefined
          ? 'With --checkpoint FILE it could be taken up again.'
          : `The same command goes on from ${command.checkpoint}.`;
      context.terminal.print(`Interrupted: ${codes.length} of ${total} explorations done. ${how}`);
      context.terminal.event({ event: 'interrupted', done: codes.length, of: total, checkpoint: command.checkpoint });
      return worst([...codes, exitCode.interrupted]);
    }
    const words = {
      [exitCode.holds]: `${explored}: all as they should be.`,
      [exitCode.violation]: `${explored}: violated.`,
    };
    context.terminal.print(
      words[code as keyof typeof words] ?? `${explored}: some did not show what they should (see above).`,
    );
    return code;
  }
}
