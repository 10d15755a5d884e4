import type { Failure } from '../../engine/failure.ts';
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
  readonly allocator: 'asid' | 'vmid';
  readonly scene: string;
  /** The name of a bug; undefined: the correct allocator. */
  readonly bug?: string;
  /** What TLC counts under the same bounds. */
  readonly published?: PublishedCount;
  readonly exploration: Exploration;
}

/** What `exploreAllocators` explores. */
export interface AllocatorsOptions {
  /** Each mistake in each scene too: some two minutes. Default false. */
  readonly bugs?: boolean;
}

/** Explores both allocators under all bounds, one row at a time, as they come. */
export function* exploreAllocators({ bugs = false }: AllocatorsOptions = {}): Generator<AllocatorRow> {
  for (const published of PUBLISHED) {
    const { config, symmetry } = published;
    const exploration = exploreAllocator(asidAllocator(config, {}, symmetry));
    const scene = `as published, ${config.spaces} tasks, symmetry: ${symmetry}`;
    yield { allocator: 'asid', scene, published, exploration };
  }
  for (const { name: scene, needs, model } of Object.values(ASID_SCENES)) {
    yield { allocator: 'asid', scene, exploration: exploreAllocator(model(), { needs }) };
    for (const bug of bugs ? [...COMMON_BUGS, ...ASID_BUGS] : [])
      yield { allocator: 'asid', scene, bug: bug.name, exploration: exploreAllocator(model(bug)) };
  }
  for (const { name: scene, needs, model } of Object.values(VMID_SCENES)) {
    yield { allocator: 'vmid', scene, exploration: exploreAllocator(model(), { needs }) };
    for (const bug of bugs ? [...COMMON_BUGS, ...VMID_BUGS] : [])
      yield { allocator: 'vmid', scene, bug: bug.name, exploration: exploreAllocator(model(bug)) };
  }
}
