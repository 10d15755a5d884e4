import { findOnPath, QemuMissing } from '../../impl/qemu/index.ts';
import {
  fuzzConformance,
  fuzzDevice as searchDevice,
  guestWitnessNames,
  type Against,
  type ConformanceFinding,
  type ConformanceSummary,
  type ConformanceTarget,
} from '../../properties/conformance/index.ts';
import { sourceOf, type DeviceHazard } from '../../properties/conformance/hazards/index.ts';
import { conformanceFamily, conformanceTargets, findingToTrace } from '../../traces/conformance.ts';
import { conformanceNotice } from '../../traces/report/conformance.ts';
import { paint } from '../../traces/report/paint.ts';
import { grouped, plural } from '../../traces/report/text.ts';
import { deviceHazard, unknown, type Context } from '../context.ts';
import { exitCode, UsageError, type ExitCode } from '../exit.ts';
import { keepTrace } from '../findings.ts';
import type { Interrupt } from '../interrupt.ts';
import { block, rate } from '../summary.ts';
import type { Terminal } from '../terminal.ts';
import type { FuzzCommand } from './fuzz.ts';

/** Seconds that a run must last before a witness that was not reached is an error; starting a device takes its time. */
const witnessSecondsMin = 30;
const secondsDefault = 20;

/** Random programs on a device, every answer compared with what the architecture permits. */
export function fuzzDevice(command: FuzzCommand, { terminal }: Context): (interrupt: Interrupt) => Promise<ExitCode> {
  const name = command.target ?? 'qemu-smmuv3';
  const target = conformanceTargets.find((candidate) => candidate === name);
  if (target === undefined) throw unknown('target', name, conformanceTargets);
  if (command.hazard !== undefined && target !== 'builtin')
    throw new UsageError(`A mistake can be built into the target builtin, not into ${target}.`);
  const hazard = command.hazard === undefined ? undefined : deviceHazard(command.hazard);
  if (hazard !== undefined && hazard.check !== 'programs')
    throw new UsageError(
      `Programs alone do not show ${hazard.name}: stalemate hazards --family ${conformanceFamily} --hazard ${hazard.name}`,
    );
  const against = command.against === undefined ? undefined : againstOf(command.against);
  return (interrupt) => new DeviceJob(command, target, against, hazard, terminal).run(interrupt);
}

/** The other device: a target, or a QEMU binary. */
function againstOf(name: string): Against {
  const target = conformanceTargets.find((candidate) => candidate === name);
  if (target !== undefined) return target;
  if (findOnPath(name) !== undefined) return { binary: name };
  throw new UsageError(
    `--against takes ${conformanceTargets.join(', ')} or the path of a QEMU binary; "${name}" is neither a target nor a file that can be executed.`,
  );
}

class DeviceJob {
  readonly #command: FuzzCommand;
  readonly #target: ConformanceTarget;
  readonly #against: Against | undefined;
  readonly #hazard: DeviceHazard | undefined;
  readonly #terminal: Terminal;
  readonly #reported: { readonly finding: ConformanceFinding; readonly file: string | undefined }[] = [];

  constructor(
    command: FuzzCommand,
    target: ConformanceTarget,
    against: Against | undefined,
    hazard: DeviceHazard | undefined,
    terminal: Terminal,
  ) {
    this.#command = command;
    this.#target = target;
    this.#against = against;
    this.#hazard = hazard;
    this.#terminal = terminal;
  }

  async run(interrupt: Interrupt): Promise<ExitCode> {
    const { seed, seconds, runs } = this.#command;
    this.#terminal.print(`${conformanceFamily} · ${this.#name()} · seed ${seed}`);
    try {
      const options = {
        target: this.#target,
        seed,
        ...(runs === undefined ? { seconds: seconds ?? secondsDefault } : { runs }),
        ...(runs === undefined || seconds === undefined ? {} : { seconds }),
        signal: interrupt.signal,
        onFinding: (finding: ConformanceFinding) => this.#report(finding),
        onProgress: (progress: ConformanceSummary) => this.#terminal.progress(this.#progressText(progress)),
      };
      const summary = await (this.#hazard === undefined
        ? fuzzConformance(options, this.#against)
        : searchDevice(sourceOf(this.#hazard), options));
      return this.#conclude(summary, interrupt.requested());
    } catch (error) {
      if (!(error instanceof QemuMissing)) throw error;
      this.#terminal.warn(
        `stalemate: ${error.message}. "stalemate doctor" says what is missing and how to install it.`,
      );
      this.#terminal.event({ event: 'skipped', target: this.#target, why: error.message });
      return exitCode.harness;
    }
  }

  /** The target, and what it is held against. */
  #name(): string {
    const against = this.#against;
    if (this.#hazard !== undefined) return `${this.#target}, hazard ${this.#hazard.name}`;
    return against === undefined
      ? this.#target
      : `${this.#target} against ${typeof against === 'string' ? against : against.binary}`;
  }

  /** What must stand before a command that replays a finding of the second QEMU. */
  #environment({ side }: ConformanceFinding): string {
    const second = side === 'second' && typeof this.#against === 'object' ? this.#against.binary : undefined;
    return second === undefined ? '' : `QEMU_ARM=${second} `;
  }

  #report(finding: ConformanceFinding): void {
    const trace = findingToTrace(finding, this.#hazard?.name);
    const file = keepTrace(trace, this.#command.out, this.#terminal);
    this.#reported.push({ finding, file });
    this.#terminal.event({
      event: 'failure',
      file,
      replay: `${this.#environment(finding)}npx stalemate replay ${file ?? ''}`,
      expected: trace.expected,
      minimal: trace.minimal,
    });
    this.#terminal.print(conformanceNotice({ trace, file, colour: this.#terminal.colour }));
    const environment = this.#environment(finding);
    if (environment !== '') this.#terminal.print(`    (found on the second QEMU: replay with ${environment.trim()})`);
  }

  #progressText({ seconds, statistics }: ConformanceSummary): string {
    const { programs, operations } = statistics;
    const found = plural(this.#reported.length, 'deviation');
    return `${conformanceFamily} ${seconds.toFixed(0)} s · ${plural(programs, 'program')} · ${plural(operations, 'operation')} (${rate(operations, seconds)}) · ${found}`;
  }

  #conclude(summary: ConformanceSummary, interrupted: boolean): ExitCode {
    const { statistics, seconds, seed, version } = summary;
    // A device without stage 2 gets no programs of guests.
    const outOfReach = (statistics.features['guests'] ?? 0) > 0 ? [] : guestWitnessNames;
    const missing = Object.entries(statistics.witnesses).flatMap(([name, count]) =>
      count === 0 && !outOfReach.some((other) => other === name) ? [name] : [],
    );
    const vacuous = missing.length > 0 && !interrupted && seconds >= witnessSecondsMin && this.#reported.length === 0;
    const did = `${plural(statistics.programs, 'program')}, ${plural(statistics.operations, 'operation')} in ${seconds.toFixed(1)} s (${rate(statistics.operations, seconds)}, seed ${seed})`;
    const inks = paint(this.#terminal.colour);
    const found = this.#reported.length;
    const head =
      found > 0
        ? inks.bad(`✗ ${this.#name()}: ${plural(found, 'distinct deviation')}; ${did}`)
        : vacuous
          ? inks.bad(`✗ ${this.#name()}: no deviation, but the run shows too little; ${did}`)
          : inks.good(
              `✓ ${this.#name()}: no ${this.#against === undefined ? 'deviation' : 'deviation that only one has'}${interrupted ? ' until it was interrupted' : ''}; ${did}`,
            );
    this.#terminal.print([head, ...this.#details(summary, missing)].join('\n'));
    const files = this.#reported.map(({ finding, file }) => ({ fingerprint: finding.fingerprint, file }));
    this.#terminal.event({
      event: 'summary',
      family: conformanceFamily,
      target: this.#target,
      version,
      seed,
      seconds,
      interrupted,
      unreached: missing,
      statistics,
      findings: files,
    });
    if (found > 0) return exitCode.violation;
    return vacuous ? exitCode.harness : interrupted ? exitCode.interrupted : exitCode.holds;
  }

  #details({ statistics, version }: ConformanceSummary, missing: readonly string[]): string[] {
    const counts = (record: Readonly<Record<string, number | undefined>>): string =>
      Object.entries(record)
        .toSorted(([, a], [, b]) => (b ?? 0) - (a ?? 0))
        .map(([name, count]) => `${name} ${grouped(count ?? 0)}`)
        .join(' · ');
    const notes = [
      missing.length === 0 ? '' : `witnesses never reached: ${missing.join(', ')}`,
      statistics.vanished === 0 ? '' : `${plural(statistics.vanished, 'deviation')} that did not come back on replay`,
    ];
    return [
      ...block('device', version),
      ...block(
        'accesses',
        `${grouped(statistics.accesses)} checked, ${grouped(statistics.open)} of them unpredictable by the architecture (anything is permitted)`,
      ),
      ...block('operations', counts(statistics.operationMix)),
      ...block('features', counts(statistics.features)),
      ...block('witnesses', counts(statistics.witnesses)),
      ...block(
        'restarts',
        statistics.restarts === 0 ? '' : `${grouped(statistics.restarts)} after the device was lost`,
      ),
      ...block('not checked', notes.filter((note) => note !== '').join('; ')),
    ];
  }
}
