import { VALUES_MAX } from './register.ts';
import { composed, mappingPa, NOTHING, type TranslationState } from './translation-state.ts';
import { parentOf } from './world.ts';

/** Which mapping a result comes from that may no longer be seen, and what ended it. */
export interface Culprit {
  /** The space whose mapping has ended: of a nested space, itself or its parent. */
  readonly space: number;
  /** Index into `MAPPING_CAUSES`. */
  readonly cause: number;
}

/** Tells how a space came to a value at a page that it may no longer hold; undefined if it never held it. */
export function culprit(state: TranslationState, space: number, page: number, value: number): Culprit | undefined {
  const { mappings, world } = state;
  const register = state.mapping(space, page);
  const parent = parentOf(world, space);
  if (parent < 0) {
    const cause = mappings.goneBy(register, value);
    return cause < 0 ? undefined : { space, cause };
  }
  let found: Culprit | undefined;
  for (const [stage1, stage2, below] of compositions(state, space, page)) {
    if (composed(stage1, stage2) !== value) continue;
    const ended = mappings.goneBy(below, stage2);
    // What the hypervisor took away is worse than what the guest did.
    if (ended >= 0) return { space: parent, cause: ended };
    const cause = mappings.goneBy(register, stage1);
    if (cause >= 0) found = { space, cause };
  }
  return found;
}

/** Every physical page that a space may lead to at a page now. */
export function framesOf(state: TranslationState, space: number, page: number): number[] {
  const { mappings, world } = state;
  const live = (register: number, value: number): boolean => value > NOTHING && mappings.live(register, value);
  const register = state.mapping(space, page);
  if (parentOf(world, space) < 0)
    return remembered(state, register)
      .filter((value) => live(register, value))
      .map(mappingPa);
  return compositions(state, space, page)
    .filter(([stage1, stage2, below]) => live(register, stage1) && live(below, stage2))
    .map(([, stage2]) => mappingPa(stage2));
}

/** True if a space holds or held this translation of a page. */
export function held(state: TranslationState, space: number, page: number, value: number): boolean {
  return state.mayHold(space, page, value) || culprit(state, space, page, value) !== undefined;
}

/** All pairs of remembered mappings of both stages that lead on from a page, with the register of the second. */
function compositions(state: TranslationState, space: number, page: number): (readonly [number, number, number])[] {
  const { world } = state;
  const parent = parentOf(world, space);
  return remembered(state, state.mapping(space, page)).flatMap((stage1) => {
    const next = world.pages.indexOf(mappingPa(stage1));
    if (next < 0) return [];
    const below = state.mapping(parent, next);
    return remembered(state, below).map((stage2) => [stage1, stage2, below] as const);
  });
}

function remembered({ mappings }: TranslationState, register: number): number[] {
  return Array.from({ length: VALUES_MAX }, (_, index) => mappings.rememberedAt(register, index + 1)).filter(
    (value) => value > NOTHING,
  );
}
