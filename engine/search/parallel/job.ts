import type { Omissions } from '../seen.ts';
import type { MessagePort } from 'node:worker_threads';
import type { Failure } from '../../failure.ts';
import type { System } from '../../system.ts';
import type { SearchOptions } from '../options.ts';
import type { Counts } from './control.ts';
import type { Branches } from '../unit.ts';

/** A world as another thread builds it: from data that can be copied there. */
export interface SearchWorld {
  readonly system: System;
  /** See `SearchOptions`. */
  readonly wanted?: (failure: Failure) => boolean;
}

/** Builds a world from its description. Equal descriptions give worlds whose states have equal fingerprints. */
export type BuildWorld = (description: unknown) => SearchWorld;

/** What of the options of a search can be copied. */
export type PlainOptions = Omit<SearchOptions, 'wanted' | 'stop'>;

/** A search that has come to a point from which it can be taken up again, by any number of threads. */
export interface SearchState {
  readonly counts: Counts;
  /** What is left to do. */
  readonly branches: readonly Branches[];
  /** The states reached: `SharedTable.entries`. */
  readonly entries: Int32Array;
}

/** One thread's part of a search. */
export interface Job {
  readonly description: unknown;
  readonly options: PlainOptions;
  /** This thread among those of the search. */
  readonly index: number;
  readonly threads: number;
  /** `Control.memory` and that of the `SharedTable`. */
  readonly control: SharedArrayBuffer;
  readonly table: SharedArrayBuffer;
  readonly backlog: readonly Branches[];
  /** States that had been reached before this search took it up. */
  readonly statesBefore: number;
  readonly port: MessagePort;
  /** The search is this thread's only, and is never saved or taken up again. */
  readonly alone: boolean;
}

/** What a thread says. */
export type FromThread =
  | { readonly type: 'parked'; readonly branches: readonly Branches[] }
  | { readonly type: 'found'; readonly failure: Failure; readonly schedule: readonly number[] }
  | { readonly type: 'bound'; readonly bound: 'states' | 'steps' | 'memory'; readonly omissions?: Omissions }
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'ended' };

/** What a thread is told while it stands still: where the table is now. */
export interface ToThread {
  readonly table: SharedArrayBuffer;
}
