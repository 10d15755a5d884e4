import type { Configuration, Family, SmallWorld } from '../../properties/family.ts';
import { countTraces, type TraceCount } from '../../properties/verify/traces.ts';
import { verify, type VerifyRow, type VerifySummary } from '../../properties/verify/verify.ts';
import { paint } from '../../traces/report/paint.ts';
import { grouped, pad, plural, widthOf } from '../../traces/report/text.ts';
import { checkHazard, findFamily, unknown, type Context } from '../context.ts';
import { HarnessError } from '../../engine/failure.ts';
import { exitCode, UsageError, type ExitCode } from '../exit.ts';
import { Finding } from '../findings.ts';
import { interruptible, type Interrupt } from '../interrupt.ts';
import { block, rate } from '../summary.ts';

/** Options of `stalemate verify`, checked and with defaults. */
export interface VerifyCommand {
  readonly family: string;
  /** Most operations of a program. */
  readonly operations: number;
  /** Most CPUs of a program. */
  readonly cpus: number;
  /** Names of worlds; none: all of them, or with a configuration the first. */
  readonly worlds: readonly string[];
  /** "field=value", changed in each of the worlds. */
  readonly configuration: readonly string[];
  /** Only programs of these kinds of operations; none: of all. */
  readonly kinds: readonly string[];
  readonly hazard: string | undefined;
  readonly seconds: number | undefined;
  readonly statesMax: number;
  /** Explore each program on its own, too, and count its traces. */
  readonly traces: boolean;
  readonly out: string;
  readonly minimiseSeconds: number;
}

/** Every interleaving of every program of up to so many operations. */
export async function verifyCommand(command: VerifyCommand, context: Context): Promise<ExitCode> {
  const family = findFamily(context.families, command.family);
  checkHazard(family, command.hazard);
  if (command.operations < 1 || command.cpus < 1) throw new UsageError('--ops and --agents must be 1 or more.');
  const worlds = worldsFor(family, command);
  checkKinds(family, worlds, command.kinds);
  return interruptible(context.terminal, (interrupt) => new VerifyJob(family, worlds, command, context).run(interrupt));
}

function worldsFor(family: Family, { worlds: names, configuration: changes }: VerifyCommand): readonly SmallWorld[] {
  if (family.small === undefined)
    throw new UsageError(`The family ${family.name} has no small worlds to exhaust; it can be fuzzed.`);
  const { worlds } = family.small;
  const named = names.map((name) => {
    const world = worlds.find((candidate) => candidate.name === name);
    if (world !== undefined) return world;
    throw unknown(
      'world',
      name,
      worlds.map((candidate) => candidate.name),
    );
  });
  if (changes.length === 0) return named.length > 0 ? named : worlds;
  const bases = named.length > 0 ? named : worlds.slice(0, 1);
  const fields = Object.fromEntries(changes.map((change) => fieldOf(change)));
  return bases.map(({ name, configuration }) => {
    const changed = { name: [name, ...changes].join(' '), configuration: { ...configuration, ...fields } };
    try {
      family.world(changed.configuration);
    } catch (error) {
      if (error instanceof RangeError) throw new UsageError(error.message);
      throw error;
    }
    return changed;
  });
}

function checkKinds(family: Family, worlds: readonly SmallWorld[], kinds: readonly string[]): void {
  const all = worlds.flatMap(({ configuration }) => family.small?.alphabet(configuration) ?? []);
  const known = [...new Set(all.map(({ op }) => op))];
  for (const kind of kinds) if (!known.includes(kind)) throw unknown('operation in these worlds', kind, known);
}

function fieldOf(change: string): [string, Configuration[string]] {
  const [, field, value] = /^([^=]+)=(.+)$/.exec(change) ?? [];
  if (field === undefined || value === undefined)
    throw new UsageError(`"${change}" is no part of a configuration: write field=value.`);
  if (value === 'true' || value === 'false') return [field, value === 'true'];
  return [field, Number.isNaN(Number(value)) ? value : Number(value)];
}

class VerifyJob {
  readonly #family: Family;
  readonly #worlds: readonly SmallWorld[];
  readonly #command: VerifyCommand;
  readonly #context: Context;
  readonly #width: number;

  constructor(family: Family, worlds: readonly SmallWorld[], command: VerifyCommand, context: Context) {
    this.#family = family;
    this.#worlds = worlds;
    this.#command = command;
    this.#context = context;
    this.#width = Math.max(5, ...worlds.map(({ name }) => widthOf(name))) + 2;
  }

  async run(interrupt: Interrupt): Promise<ExitCode> {
    const { terminal } = this.#context;
    const { hazard, operations, cpus, kinds, seconds, statesMax } = this.#command;
    const what = hazard === undefined ? 'correct implementation' : `hazard ${hazard}`;
    terminal.print(`${this.#family.name} · ${what} · ${this.#scope()}`);
    terminal.print(
      `  ops  ${pad('world', this.#width)}${pad('result', 16)}      programs        states   transitions      time`,
    );
    const summary = await verify(this.#family, {
      operations,
      cpus,
      statesMax,
      worlds: this.#worlds,
      stop: interrupt.requested,
      ...(kinds.length === 0 ? {} : { kinds }),
      ...(hazard === undefined ? {} : { hazard }),
      ...(seconds === undefined ? {} : { seconds }),
      onRow: (row) => this.#showRow(row),
      onProgress: (row) =>
        terminal.progress(
          `${row.operations} of ${operations} operations from ${row.world}: ${plural(row.states, 'state')} (${rate(row.states, row.seconds)}) · ${plural(row.transitions, 'transition')} · ${row.seconds.toFixed(0)} s`,
        ),
    });
    if (summary.found !== undefined)
      await new Finding(this.#family, summary.found, this.#context, this.#command).conclude(interrupt);
    const code = this.#conclude(summary, interrupt);
    if (this.#command.traces && code === exitCode.holds) await this.#countTraces(interrupt);
    return code;
  }

  async #countTraces(interrupt: Interrupt): Promise<void> {
    const { terminal } = this.#context;
    const { operations, cpus, kinds } = this.#command;
    for (const world of this.#worlds) {
      if (interrupt.requested()) break;
      const count = await countTraces(this.#family, world, {
        operations,
        cpus: Math.min(cpus, operations),
        ...(kinds.length === 0 ? {} : { kinds }),
        stop: interrupt.requested,
        onProgress: (so) => terminal.progress(tracesText(so)),
      });
      if (count.violated > 0)
        throw new HarnessError(`${plural(count.violated, 'program')} from ${world.name} fails on its own only`);
      terminal.print(`  ${tracesText(count)}`);
      terminal.event({ event: 'traces', family: this.#family.name, ...count });
    }
  }

  #scope(): string {
    const { operations, cpus, kinds } = this.#command;
    const which = kinds.length === 0 ? '' : ` of ${kinds.join(', ')}`;
    return `every program of up to ${plural(operations, 'operation')}${which} on up to ${plural(Math.min(cpus, operations), 'CPU')}, from ${plural(this.#worlds.length, 'world')}`;
  }

  #showRow(row: VerifyRow): void {
    const { terminal } = this.#context;
    const inks = paint(terminal.colour);
    const words = {
      exhausted: inks.good(pad('✓ exhausted', 16)),
      violation: inks.bad(pad('✗ violated', 16)),
      states: inks.bad(pad('bound on states', 16)),
      paused: pad('not exhausted', 16),
    }[row.end];
    const counts = [row.programs, row.states, row.transitions].map((count) => grouped(count).padStart(14)).join('');
    const time = `${row.seconds.toFixed(2)} s`.padStart(10);
    terminal.print(`  ${String(row.operations).padStart(3)}  ${pad(row.world, this.#width)}${words}${counts}${time}`);
    const { end: ended, ...rest } = row;
    terminal.event({ event: 'verified', family: this.#family.name, hazard: this.#command.hazard, ended, ...rest });
  }

  #conclude(summary: VerifySummary, interrupt: Interrupt): ExitCode {
    const { terminal } = this.#context;
    const { name } = this.#family;
    const { left, found, rows } = summary;
    const verdict =
      found !== undefined ? 'violated' : left.length === 0 ? 'holds' : interrupt.requested() ? 'interrupted' : 'bound';
    const inks = paint(terminal.colour);
    const did = this.#did(summary);
    const last = rows.at(-1);
    const what = {
      violated: inks.bad(`✗ ${name}: violated by a program of ${plural(last?.operations ?? 0, 'operation')}; ${did}`),
      holds: inks.good(`✓ ${name} holds for ${this.#scope()}: ${did}`),
      interrupted: `${name} held until it was interrupted: ${did}`,
      bound: inks.bad(`✗ ${name} held as far as it was searched, which is not all: ${did}`),
    }[verdict];
    terminal.print([what, ...this.#details(summary)].join('\n'));
    const totals = totalsOf(rows);
    const { counters, seconds } = summary;
    terminal.event({
      event: 'summary',
      family: name,
      hazard: this.#command.hazard,
      verdict,
      left,
      seconds,
      ...totals,
      ...counters,
    });
    return {
      violated: exitCode.violation,
      holds: exitCode.holds,
      interrupted: exitCode.interrupted,
      bound: exitCode.harness,
    }[verdict];
  }

  #did({ rows, seconds }: VerifySummary): string {
    const { programs, states, transitions } = totalsOf(rows);
    return `every interleaving of ${plural(programs, 'program')}, ${plural(states, 'state')}, ${plural(transitions, 'transition')} in ${seconds.toFixed(1)} s (${rate(transitions, seconds)})`;
  }

  /** What was exercised, and as plainly what was not looked at. */
  #details({ counters, left, rows, found }: VerifySummary): string[] {
    if (found !== undefined) return [];
    const { operations, cpus, kinds: only } = this.#command;
    const witnesses = Object.entries(counters.witnesses);
    const kinds = Object.entries(counters.operations)
      .filter(([, { run }]) => run > 0)
      .toSorted(([a], [b]) => a.localeCompare(b));
    const never = kinds.filter(([, { run, rejected }]) => run === rejected).map(([op]) => op);
    const unreached = witnesses.filter(([, count]) => count === 0).map(([name]) => name);
    const notLooked = [
      ...leftTexts(left, rows, this.#worlds.length),
      `programs of more than ${plural(operations, 'operation')}`,
      only.length === 0 ? '' : `operations other than ${only.join(', ')}`,
      cpus < operations ? `more than ${plural(cpus, 'CPU')}` : '',
      never.length === 0 ? '' : `operations that never applied: ${never.join(', ')}`,
      unreached.length === 0 ? '' : `witnesses never reached: ${unreached.join(', ')}`,
    ].filter((text) => text !== '');
    return [
      ...block('operations', kinds.map(([op, { run }]) => `${op} ${grouped(run)}`).join(' · ')),
      ...block(
        'witnesses',
        witnesses
          .filter(([, count]) => count > 0)
          .map(([name, count]) => `${name} ${grouped(count)}`)
          .join(' · '),
      ),
      ...block('not checked', notLooked.join('; ')),
    ];
  }
}

/** Programs of the exhausted searches (the largest of each world), and what all searches did. */
function totalsOf(rows: readonly VerifyRow[]): { programs: number; states: number; transitions: number } {
  const programs = new Map<string, number>();
  for (const row of rows) if (row.end === 'exhausted') programs.set(row.world, row.programs);
  const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
  return {
    programs: sum(programs.values()),
    states: sum(rows.map(({ states }) => states)),
    transitions: sum(rows.map(({ transitions }) => transitions)),
  };
}

/** What was not exhausted: one text for each search that was cut off, one for each number of operations not begun. */
function leftTexts(left: VerifySummary['left'], rows: readonly VerifyRow[], worlds: number): string[] {
  const begun = left
    .filter(({ why }) => why !== 'not-begun')
    .map(({ world, operations, why }) => {
      const states = rows.find((row) => row.world === world && row.operations === operations)?.states ?? 0;
      const how = why === 'states' ? 'at the bound on states' : 'early';
      return `${plural(operations, 'operation')} from ${world}: ended ${how}, after ${plural(states, 'state')}`;
    });
  const waiting = left.filter(({ why }) => why === 'not-begun');
  const notBegun = [...new Set(waiting.map(({ operations }) => operations))].map((operations) => {
    const them = waiting.filter((one) => one.operations === operations).map(({ world }) => world);
    const from = them.length === worlds && worlds > 1 ? 'all worlds' : them.join(', ');
    return `${plural(operations, 'operation')} from ${from}: not begun`;
  });
  return [...begun, ...notBegun];
}

function tracesText({ world, programs, interleavings, traces, seconds, complete }: TraceCount): string {
  const least = complete ? '' : 'at least ';
  const schedules = interleavings < 1e6 ? grouped(interleavings) : interleavings.toPrecision(3);
  return `${world}: ${plural(programs, 'program')}, each on its own: ${least}${schedules} interleavings, ${least}${plural(traces, 'different trace')}, in ${seconds.toFixed(1)} s`;
}
