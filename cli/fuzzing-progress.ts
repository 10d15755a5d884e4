/** What `fuzz --checkpoint` keeps: after which round each campaign is, and what has been found. */
import type { Checkpoint } from '../engine/checkpoint.ts';
import type { CampaignState, Found, FuzzSummary } from '../properties/campaign.ts';
import { CheckpointFile } from './checkpoint-file.ts';
import { UsageError } from './exit.ts';
import { readUsable } from './exploration/progress.ts';
import { identify, misfit, type Identity } from './identity.ts';
import type { Terminal } from './terminal.ts';

/** A failure, and the campaign that found it. */
export interface FoundBy {
  readonly worker: number;
  readonly found: Found;
  /** Where its trace is; set when it has been made small and reported. */
  concluded?: string;
}

interface Header {
  readonly identity: Identity;
  readonly states: readonly (CampaignState | null)[];
  readonly found: readonly FoundBy[];
  /** Set when there is nothing left to run within these limits. */
  readonly finished?: FuzzSummary;
  readonly limits: Limits;
}

/** When a run ends. A checkpoint fits others too: the run is then made longer, or is long enough. */
interface Limits {
  readonly seconds: number | undefined;
  readonly runs: number | undefined;
}

/** What a run of `fuzz` is. */
export interface FuzzRun {
  readonly workers: number;
  readonly limits: Limits;
  /** A failure does not end it. */
  readonly keepGoing: boolean;
  /** All else that the checkpoint must have been written for. */
  readonly what: Readonly<Record<string, unknown>>;
}

const WRITE_MS = 1_000;

/** The progress of one run of `fuzz`, in a file if there is one. */
export class FuzzProgress {
  readonly #file: CheckpointFile;
  readonly #run: FuzzRun;
  readonly #identity: Identity;
  readonly states: (CampaignState | undefined)[];
  readonly found: FoundBy[] = [];
  finished: FuzzSummary | undefined;

  /**
   * @throws UsageError if there is a file that cannot be used, or none can be written.
   */
  constructor(file: string | undefined, run: FuzzRun, terminal: Terminal) {
    const { workers, what, keepGoing } = run;
    this.#run = run;
    this.#file = new CheckpointFile(file, terminal, performance.now());
    this.#identity = identify('fuzz', { ...what, keepGoing, workers });
    this.states = Array.from({ length: workers }, () => undefined);
    if (file === undefined) return;
    const header = readUsable(file)?.header as Header | undefined;
    if (header !== undefined) this.#takeOver(file, header);
    else this.#file.begin(this.#contents());
  }

  /** A campaign has ended a round. */
  reach(worker: number, state: CampaignState): void {
    this.states[worker] = state;
    if (this.#file.age > WRITE_MS) this.write();
  }

  /** A campaign has found a failure, of which the trace has been saved. */
  find(foundBy: FoundBy): void {
    this.found.push(foundBy);
    this.write();
  }

  /** A failure has been reported. */
  conclude(foundBy: FoundBy, file: string): void {
    foundBy.concluded = file;
    this.write();
  }

  /** Nothing is left to run. */
  finish(summary: FuzzSummary): void {
    this.finished = summary;
    this.write();
  }

  /** Writes the file now. */
  write(): void {
    this.#file.write(() => this.#contents());
  }

  #contents(): Checkpoint {
    const header: Header = {
      identity: this.#identity,
      states: this.states.map((state) => state ?? null),
      found: this.found,
      limits: this.#run.limits,
      ...(this.finished === undefined ? {} : { finished: this.finished }),
    };
    return { header: { ...header }, parts: [] };
  }

  #takeOver(file: string, header: Header): void {
    const wrong = misfit(header.identity, this.#identity);
    if (wrong !== undefined) throw new UsageError(`The checkpoint ${file} ${wrong}. It has been left as it is.`);
    header.states.forEach((state, worker) => {
      this.states[worker] = state === null ? undefined : { ...state, summary: readSummary(state.summary) };
    });
    this.found.push(...header.found);
    const { limits, keepGoing } = this.#run;
    const over = (header.found.length > 0 && !keepGoing) || JSON.stringify(header.limits) === JSON.stringify(limits);
    if (over && header.finished !== undefined) this.finished = readSummary(header.finished);
  }
}

/** The seed of the campaign in a checkpoint, so that the same command goes on without saying it again. */
export function seedIn(file: string | undefined): number | undefined {
  if (file === undefined) return undefined;
  const header = readUsable(file)?.header as Header | undefined;
  const seed = header?.identity.of['seed'];
  return typeof seed === 'number' ? seed : undefined;
}

/** JSON has no infinity. */
function readSummary(summary: FuzzSummary): FuzzSummary {
  return { ...summary, stepsMin: (summary.stepsMin as number | null) ?? Infinity };
}
