/** What `explore --checkpoint` keeps: the explorations that are finished, and how far the others have come. */
import { createHash } from 'node:crypto';
import { CheckpointError, readCheckpoint, type Checkpoint } from '../../engine/checkpoint.ts';
import type { SearchState } from '../../engine/search/parallel/job.ts';
import { stateParts, takeState, type StateHeader } from '../../engine/search/parallel/state-file.ts';
import type { SearchResult } from '../../engine/search/search.ts';
import { CheckpointFile } from '../checkpoint-file.ts';
import { UsageError } from '../exit.ts';
import { identify, misfit, type Identity } from '../identity.ts';
import type { Terminal } from '../terminal.ts';
import type { Exploration } from './row.ts';

/** An exploration that is finished. */
interface Done {
  readonly result: SearchResult;
  readonly seconds: number;
}

/** One that is not. */
export interface UnderWay {
  readonly state: SearchState;
  /** Seconds that it has taken so far. */
  readonly seconds: number;
}

interface Header {
  readonly identity: Identity;
  readonly done: Record<string, Done>;
  readonly underWay: Record<string, { readonly seconds: number; readonly state: StateHeader }>;
}

/** Short explorations are written together, this often. */
const WRITE_MS = 500;

/** The progress of one run of `explore`, in a file if there is one. */
export class Progress {
  readonly #file: CheckpointFile;
  readonly #identity: Identity;
  readonly #done = new Map<string, Done>();
  readonly #underWay = new Map<string, UnderWay>();

  /**
   * @param identity what the file must have been written for.
   * @throws UsageError if there is a file that cannot be used, or none can be written.
   */
  constructor(file: string | undefined, identity: Record<string, unknown>, terminal: Terminal) {
    this.#file = new CheckpointFile(file, terminal, 0);
    this.#identity = identify('explore', identity);
    if (file !== undefined && !this.#read(file)) this.#file.begin(this.#contents());
  }

  /** Number of explorations that are finished. */
  get finished(): number {
    return this.#done.size;
  }

  /** How an exploration came out, if it is finished. */
  done(exploration: Exploration): Done | undefined {
    return this.#done.get(keyOf(exploration));
  }

  /** How far an exploration had come. */
  underWay(exploration: Exploration): UnderWay | undefined {
    return this.#underWay.get(keyOf(exploration));
  }

  /** An exploration is finished. */
  finish(exploration: Exploration, done: Done): void {
    this.#done.set(keyOf(exploration), done);
    this.#underWay.delete(keyOf(exploration));
    if (this.#file.age > WRITE_MS) this.write();
  }

  /** An exploration has come so far. */
  reach(exploration: Exploration, underWay: UnderWay): void {
    this.#underWay.set(keyOf(exploration), underWay);
    this.write();
  }

  /** Writes the file now. */
  write(): void {
    this.#file.write(() => this.#contents());
  }

  #contents(): Checkpoint {
    const parts: Uint8Array[] = [];
    const underWay: Header['underWay'] = {};
    for (const [key, { state, seconds }] of this.#underWay) {
      const { header, parts: more } = stateParts(state);
      underWay[key] = { seconds, state: header };
      parts.push(...more);
    }
    const header: Header = { identity: this.#identity, done: Object.fromEntries(this.#done), underWay };
    return { header: { ...header }, parts };
  }

  /** Takes over what a file says; false if there is none. */
  #read(file: string): boolean {
    const checkpoint = readUsable(file);
    if (checkpoint === undefined) return false;
    const header = checkpoint.header as unknown as Header;
    const wrong = misfit(header.identity, this.#identity);
    if (wrong !== undefined) throw new UsageError(`The checkpoint ${file} ${wrong}. It has been left as it is.`);
    const parts = [...checkpoint.parts];
    for (const [key, done] of Object.entries(header.done)) this.#done.set(key, done);
    for (const [key, { seconds, state }] of Object.entries(header.underWay))
      this.#underWay.set(key, { seconds, state: takeState(state, parts) });
    return true;
  }
}

/** Reads a checkpoint. @throws UsageError if it is not a whole one. */
export function readUsable(file: string): ReturnType<typeof readCheckpoint> {
  try {
    return readCheckpoint(file);
  } catch (error) {
    if (error instanceof CheckpointError) throw new UsageError(`${error.message}. It has been left as it is.`);
    throw error;
  }
}

/** A text that tells programs and configurations apart. */
export function digestOf(data: unknown): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 16);
}

function keyOf({ litmus, hazard }: Exploration): string {
  return `${litmus.id} ${hazard ?? ''}`;
}
