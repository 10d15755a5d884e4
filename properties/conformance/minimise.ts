/**
 * Makes a failing program as small and as plain as possible: first fewer operations (delta debugging: Zeller and
 * Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), then simpler arguments, until neither helps.
 * Every candidate is run on the device; one is kept only if it shows the same difference.
 */
import type { Deviation } from './deviation.ts';
import type { ConformanceProgram } from './program.ts';
import { simplerPrograms } from './transform.ts';
import { simplerConfigurations, simplerOperations } from './simplify.ts';
import { isWellFormed } from './well-formed.ts';

/** Runs a candidate; its deviation if it shows the same difference as the original, else undefined. */
export type Probe = (program: ConformanceProgram) => Promise<Deviation | undefined>;

/** A minimised program, and the deviation that it shows. */
export interface Minimised {
  readonly program: ConformanceProgram;
  readonly deviation: Deviation;
  /** Candidates run. */
  readonly runs: number;
  /** False if the budget ran out first. */
  readonly minimal: boolean;
}

class Minimiser {
  program: ConformanceProgram;
  deviation: Deviation;
  runs = 0;
  readonly #probe: Probe;
  readonly #tried = new Set<string>();
  readonly #runsMax: number;

  constructor(program: ConformanceProgram, deviation: Deviation, probe: Probe, runsMax: number) {
    this.program = program;
    this.deviation = deviation;
    this.#probe = probe;
    this.#runsMax = runsMax;
  }

  get exhausted(): boolean {
    return this.runs >= this.#runsMax;
  }

  /** Takes a candidate if it shows the same difference. */
  async accept(candidate: ConformanceProgram): Promise<boolean> {
    if (this.exhausted || !isWellFormed(candidate)) return false;
    // Simplifications meet on the same program by different ways; none is run twice, which also rules out circles.
    const key = JSON.stringify(candidate);
    if (this.#tried.has(key)) return false;
    this.#tried.add(key);
    this.runs++;
    const deviation = await this.#probe(candidate);
    if (deviation === undefined) return false;
    this.program = candidate;
    this.deviation = deviation;
    return true;
  }

  /** Removes runs of operations, halving their length down to single ones. */
  async removeOperations(): Promise<boolean> {
    const last = this.deviation.operation + 1;
    let any = last < this.program.operations.length && (await this.accept(cut(this.program, last, Infinity)));
    for (let length = this.program.operations.length >> 1; length >= 1; length >>= 1)
      for (let at = this.program.operations.length - length; at > -length; at -= length) {
        const first = Math.max(0, at);
        if (await this.accept(cut(this.program, first, at + length - first))) any = true;
      }
    return any;
  }

  /** Tries simpler arguments, one change at a time. */
  async simplifyOperations(): Promise<boolean> {
    let any = false;
    for (let at = 0; at < this.program.operations.length; at++) {
      for (let again = true; again;) {
        again = false;
        const { configuration, operations } = this.program;
        const operation = operations[at];
        if (operation === undefined) break;
        const device = operation.kind === 'access' ? (configuration.devices[operation.stream] ?? 0) : 0;
        for (const simpler of simplerOperations(operation, device)) {
          const changed = operations.map((old, index) => (index === at ? simpler : old));
          if (!(await this.accept({ configuration, operations: changed }))) continue;
          any = again = true;
          break;
        }
      }
    }
    return any;
  }

  async simplifyConfiguration(): Promise<boolean> {
    let any = false;
    for (let again = true; again;) {
      again = false;
      for (const candidate of [...simplerPrograms(this.program), ...simplerConfigurations(this.program)]) {
        if (!(await this.accept(candidate))) continue;
        any = again = true;
        break;
      }
    }
    return any;
  }
}

const cut = ({ configuration, operations }: ConformanceProgram, at: number, length: number): ConformanceProgram => ({
  configuration,
  operations: [...operations.slice(0, at), ...operations.slice(at + length)],
});

/**
 * Minimises.
 *
 * @param probe runs a candidate.
 * @param runsMax most candidates to run.
 */
export const minimise = async (
  program: ConformanceProgram,
  deviation: Deviation,
  probe: Probe,
  runsMax = 1500,
): Promise<Minimised> => {
  const minimiser = new Minimiser(
    { configuration: program.configuration, operations: program.operations },
    deviation,
    probe,
    runsMax,
  );
  let changed = true;
  while (changed && !minimiser.exhausted) {
    changed = await minimiser.removeOperations();
    if (await minimiser.simplifyConfiguration()) changed = true;
    if (await minimiser.simplifyOperations()) changed = true;
  }
  return {
    program: minimiser.program,
    deviation: minimiser.deviation,
    runs: minimiser.runs,
    minimal: !minimiser.exhausted,
  };
};
