import type { Failure } from '../../engine/failure.ts';
import { observe, type ObservedStep } from '../../engine/observe.ts';
import { search } from '../../engine/search/search.ts';
import { asidAllocator } from './asid.ts';
import { ASID_BUGS, COMMON_BUGS, VMID_BUGS } from './bugs.ts';
import type { AllocatorModel } from './model.ts';
import { PUBLISHED, type PublishedCount } from './published.ts';
import { ASID_SCENES, VMID_SCENES } from './scenes.ts';
import type { Witness } from './witnesses.ts';

/** What was found, counted as TLC counts. */
export interface Exploration {
  /** `vacuous`: nothing is wrong, but something was not reached that had to be. `bound`: a limit on states was hit. */
  readonly verdict: 'holds' | 'broken' | 'vacuous' | 'bound';
  /** The initial state, and one for each step of each state, also of steps beyond the last generation. */
  readonly generated: number;
  /** Different states within the bound on generations. */
  readonly distinct: number;
  /** Number of levels of the graph, the initial state's included. */
  readonly depth: number;
  readonly witnesses: readonly Witness[];
  /** What had to be reached and was not. */
  readonly missing: readonly Witness[];
  readonly failure?: Failure;
  /** Agent index of each step of a shortest counterexample. */
  readonly schedule?: readonly number[];
}

/** What may be said about an exploration. */
export interface ExploreOptions {
  /** What it must come by. */
  readonly needs?: readonly Witness[];
  /** Most states; default 50 million. */
  readonly statesMax?: number;
}

/** Explores a model breadth first, to its end or to a shortest counterexample. */
export function exploreAllocator(model: AllocatorModel, options: ExploreOptions = {}): Exploration {
  const { needs = [], statesMax = 50_000_000 } = options;
  const wanted = ({ monitor }: Failure): boolean => monitor !== 'bound';
  const found = search(model.system, { order: 'bfs', reduction: 'none', statesMax, wanted });
  const witnesses = model.witnesses();
  const missing = needs.filter((witness) => !witnesses.includes(witness));
  const exhausted = missing.length > 0 ? 'vacuous' : 'holds';
  return {
    verdict: found.verdict === 'exhausted' ? exhausted : found.verdict === 'violation' ? 'broken' : 'bound',
    generated: found.transitions + 1,
    distinct: found.states,
    depth: found.depth + 1,
    witnesses,
    missing,
    ...(found.failure === undefined ? {} : { failure: found.failure }),
    ...(found.schedule === undefined ? {} : { schedule: found.schedule }),
  };
}

/** One exploration of `exploreAllocators`. */
export interface AllocatorRow {
  readonly allocator: AllocatorName;
  readonly scene: string;
  /** The name of a bug; undefined: the correct allocator. */
  readonly bug?: string;
  /** What TLC counts under the same bounds. */
  readonly published?: PublishedCount;
  readonly exploration: Exploration;
}

/** The allocators that there are models of. */
export type AllocatorName = 'asid' | 'vmid';

/** What `exploreAllocators` explores. */
export interface AllocatorsOptions {
  /** Default: both. */
  readonly allocator?: AllocatorName | undefined;
  /** This mistake in each scene, instead of the correct allocators. */
  readonly bug?: string | undefined;
  /** Each mistake in each scene too: some two minutes. Default false. */
  readonly bugs?: boolean;
  /** Most states of one exploration; default 50 million. */
  readonly statesMax?: number;
}

/** A row that has not been explored yet. */
interface Case extends Omit<AllocatorRow, 'exploration'> {
  readonly needs?: readonly Witness[];
  readonly model: () => AllocatorModel;
}

/** The bugs of the allocators, by name. */
export function allocatorBugs(): string[] {
  return [...COMMON_BUGS, ...ASID_BUGS, ...VMID_BUGS].map(({ name }) => name);
}

/** Explores both allocators under all bounds, one row at a time, as they come: some 12 seconds, half of them for one row. */
export function* exploreAllocators(options: AllocatorsOptions = {}): Generator<AllocatorRow> {
  const { statesMax } = options;
  for (const { model, needs, ...row } of cases(options)) {
    const limits = { ...(needs === undefined ? {} : { needs }), ...(statesMax === undefined ? {} : { statesMax }) };
    yield { ...row, exploration: exploreAllocator(model(), limits) };
  }
}

/** The steps of a row's counterexample; none if it has none. */
export function counterexample({ allocator, scene, bug, exploration }: AllocatorRow): readonly ObservedStep[] {
  const one = cases({ allocator, bug }).find((each) => each.scene === scene && each.bug === bug);
  if (one === undefined || exploration.schedule === undefined) return [];
  return observe(one.model().system, exploration.schedule).steps;
}

function cases({ allocator, bug, bugs = false }: AllocatorsOptions): Case[] {
  const wanted = (name: string): boolean => bugs || name === bug;
  const asid = Object.values(ASID_SCENES).flatMap(({ name: scene, needs, model }): Case[] => [
    // Counted above, with TLC.
    ...(scene === ASID_SCENES.published.name ? [] : [{ allocator: 'asid' as const, scene, needs, model }]),
    ...[...COMMON_BUGS, ...ASID_BUGS]
      .filter(({ name }) => wanted(name))
      .map((each): Case => ({ allocator: 'asid', scene, bug: each.name, model: () => model(each) })),
  ]);
  const vmid = Object.values(VMID_SCENES).flatMap(({ name: scene, needs, model }): Case[] => [
    { allocator: 'vmid', scene, needs, model },
    ...[...COMMON_BUGS, ...VMID_BUGS]
      .filter(({ name }) => wanted(name))
      .map((each): Case => ({ allocator: 'vmid', scene, bug: each.name, model: () => model(each) })),
  ]);
  return [...PUBLISHED.map(publishedCase), ...asid, ...vmid].filter(
    (one) => (allocator ?? one.allocator) === one.allocator && (bug === undefined || one.bug === bug),
  );
}

function publishedCase(published: PublishedCount): Case {
  const { config, symmetry } = published;
  return {
    allocator: 'asid',
    scene: `as published, ${config.spaces} tasks, symmetry: ${symmetry}`,
    needs: ASID_SCENES.published.needs,
    published,
    model: () => asidAllocator(config, {}, symmetry),
  };
}
