import { culprit, framesOf, held } from './culprit.ts';
import { VALUES_MAX } from './register.ts';
import {
  BYPASS,
  FIRST_SPACE,
  MAPPING_CAUSES,
  mappingValue,
  type Observed,
  type TranslationState,
} from './translation-state.ts';
import { hex, type Violation } from './violation.ts';

/** Where a result was seen that the contract does not permit, and what could have been seen there. */
interface Place {
  readonly state: TranslationState;
  readonly stream: number;
  readonly page: number;
  /** The spaces that the stream may translate by now. */
  readonly attached: readonly number[];
  /** True while an attach of the stream is in progress. */
  readonly attaching: boolean;
}

/** What the promise and the result are about. */
interface Facts {
  readonly space?: number | undefined;
  readonly pa?: number | undefined;
}

/** Names the promise that a result breaks. Only for results that `TranslationState.permits` refuses. */
export function diagnose(state: TranslationState, stream: number, page: number, outcome: Observed): Violation {
  const attached: number[] = [];
  for (let slot = 0; slot <= VALUES_MAX; slot++) {
    const space = state.targets.liveAt(stream, slot) - FIRST_SPACE;
    if (space >= 0) attached.push(space);
  }
  const place: Place = { state, stream, page, attached, attaching: state.targets.writes(stream) > 0 };
  switch (outcome.kind) {
    case 'translated':
      return stray(place, outcome.pa, mappingValue(outcome.pa, outcome.permissions));
    case 'fault':
      return refusal(place, 'spurious-fault', 'a translation fault');
    case 'abort':
      return refusal(place, 'spurious-abort', 'an abort');
    case 'bypass':
      return untranslated(place);
    case 'conflict':
      return broken(place, 'tlb-conflict', 'break-before-make', 'two different cached translations match one access');
    case 'unpredictable':
      return broken(
        place,
        'unpredictable',
        'defined behaviour',
        'the architecture does not say what an access results in',
      );
  }
}

/** A translation that no attached space may hold: the stream has none, or it is an old mapping, or another space's. */
function stray(place: Place, pa: number, value: number): Violation {
  const { state, stream, attached } = place;
  const owner = holder(place, value);
  if (attached.length === 0) {
    const to = state.targets.live(stream, BYPASS) ? 'bypass' : 'blocked';
    const clause = `${hex(pa)} can be reached by translation, although the stream is set to ${to}`;
    return broken(place, `translated-while-${to}`, 'attach.end', clause, { pa, space: owner });
  }
  for (const space of attached) {
    const ended = culprit(state, space, place.page, value);
    const promise = MAPPING_CAUSES[ended?.cause ?? -1];
    if (ended === undefined || promise === undefined) continue;
    const clause = `${hex(pa)} can still be reached, although ${promise} of space ${ended.space} promised that it cannot`;
    return broken(place, 'stale-translation', promise, clause, { pa, space: ended.space });
  }
  const mapper = attached.find((space) => framesOf(state, space, place.page).includes(pa));
  if (mapper !== undefined) {
    const clause = `${hex(pa)} can be reached with permissions that space ${mapper} does not give`;
    return broken(place, 'wrong-permissions', 'map.end', clause, { pa, space: mapper });
  }
  if (owner !== undefined) {
    const what = state.targets.goneBy(stream, FIRST_SPACE + owner) < 0 ? 'is not attached to' : 'has left';
    const clause = `${hex(pa)} can be reached by a mapping of space ${owner}, which the stream ${what}`;
    return broken(place, 'wrong-address-space', 'attach.end', clause, { pa, space: owner });
  }
  if (place.attaching) {
    const clause = `${hex(pa)} can be reached, which neither the old nor the new configuration leads to`;
    return broken(place, 'mixed-configuration', 'attach.begin', clause, { pa });
  }
  return broken(place, 'unknown-translation', 'map.end', `${hex(pa)} can be reached, which nobody mapped there`, {
    pa,
  });
}

/** A fault or an abort where access was promised; `rule` is for a stream that is attached to a space. */
function refusal(place: Place, rule: string, what: string): Violation {
  const [space] = place.attached;
  if (place.attaching) {
    const clause = `an access may end in ${what}, although the attach in progress was declared hitless`;
    return broken(place, 'refused-while-hitless', 'attach.begin', clause, { space });
  }
  if (space === undefined) {
    const clause = `an access may end in ${what}, although the stream is set to bypass`;
    return broken(place, 'refused-while-bypass', 'attach.end', clause);
  }
  if (rule === 'spurious-abort') {
    const clause = `an access may end in ${what}, although the stream is attached to space ${space}`;
    return broken(place, rule, 'attach.end', clause, { space });
  }
  const clause = `an access may end in ${what}, although space ${space} maps the page and nobody is unmapping it`;
  return broken(place, rule, 'map.end', clause, { space, pa: framesOf(place.state, space, place.page)[0] });
}

/** Untranslated access by a stream that is not set to bypass. */
function untranslated(place: Place): Violation {
  const [space] = place.attached;
  const clause = 'an access may go untranslated, although the stream is';
  if (place.attaching)
    return broken(
      place,
      'mixed-configuration',
      'attach.begin',
      `${clause} changed between targets neither of which is bypass`,
    );
  if (space === undefined) return broken(place, 'untranslated-while-blocked', 'attach.end', `${clause} set to blocked`);
  return broken(place, 'untranslated-while-attached', 'attach.end', `${clause} attached to space ${space}`, { space });
}

/** A space that holds or held this mapping at the page; one that the stream has left is the likelier culprit. */
function holder({ state, stream, page }: Place, value: number): number | undefined {
  let found: number | undefined;
  for (let space = 0; space < state.world.spaces; space++) {
    if (!held(state, space, page, value)) continue;
    if (state.targets.goneBy(stream, FIRST_SPACE + space) >= 0) return space;
    found ??= space;
  }
  return found;
}

function broken(place: Place, rule: string, promise: string, clause: string, facts: Facts = {}): Violation {
  const { world } = place.state;
  const { stream, substream } = world.streams[place.stream] ?? { stream: -1, substream: -1 };
  const iova = hex(world.pages[place.page] ?? -1);
  const data: Record<string, string | number> = { stream, substream, iova, promise };
  if (facts.pa !== undefined) data['pa'] = hex(facts.pa);
  if (facts.space !== undefined) data['space'] = facts.space;
  const message = `At iova ${iova} of stream ${stream} (substream ${substream}), ${clause}.`;
  return { monitor: 'translation', rule, message, data };
}
