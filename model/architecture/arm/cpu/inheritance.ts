import { coversTlb, type TlbTarget } from '../commands/invalidation.ts';
import { addCopy, firstCopy, HELD, secondCopy, type HoldState } from '../dvm/hold-state.ts';
import type { OutstandingTlbis } from '../dvm/outstanding.ts';

/**
 * How doom passes from what a walk comes through to what it reads. A TLBI includes the walks that are under way
 * (Arm ARM D8.17 R_RVJDB: working registers of the walk hardware count as entries): what is read through a copy that it
 * takes away goes with it, if it covers that too. A TLBI that covers only one of them does not reach it.
 */
export class Inheritance {
  readonly #outstanding: () => OutstandingTlbis;

  constructor(outstanding: () => OutstandingTlbis) {
    this.#outstanding = outstanding;
  }

  /** State of a thing that is held as `state` says, and is now read through each copy of a parent, which is held. */
  through(state: HoldState, parent: HoldState, thing: TlbTarget): HoldState {
    if (parent === HELD) return HELD;
    const second = secondCopy(parent);
    const once = addCopy(state, this.#covering(firstCopy(parent), thing));
    return second === 0 ? once : addCopy(once, this.#covering(second, thing));
  }

  /** The same of a thing that is made of two: of each copy of one, with each copy of the other. */
  throughTwo(state: HoldState, one: HoldState, other: HoldState, thing: TlbTarget): HoldState {
    if (one === HELD) return this.through(state, other, thing);
    if (other === HELD) return this.through(state, one, thing);
    let made = state;
    for (const first of copiesOf(one))
      for (const second of copiesOf(other)) made = addCopy(made, this.#covering(first | second, thing));
    return made;
  }

  /** Those of a set of outstanding TLBIs that cover a thing. */
  #covering(mask: number, thing: TlbTarget): number {
    const outstanding = this.#outstanding();
    let covering = 0;
    for (let left = mask; left !== 0; left &= left - 1) {
      const slot = 31 - Math.clz32(left & -left);
      if (coversTlb(outstanding.commandAt(slot), thing)) covering |= 1 << slot;
    }
    return covering;
  }
}

function copiesOf(state: HoldState): readonly number[] {
  const second = secondCopy(state);
  return second === 0 ? [firstCopy(state)] : [firstCopy(state), second];
}
