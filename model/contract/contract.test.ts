import { describe, expect, it } from 'vitest';
import { Store } from '../../engine/store.ts';
import { Contract, type OutcomeSource } from './contract.ts';
import { attached, G, H, mapped, the, translated, unmapped, WORLD } from './testing.ts';
import type { Observed } from './translation-state.ts';

/** Hardware whose outcomes a test sets by hand, and that counts how often it is asked for them. */
class ScriptedHardware implements OutcomeSource<Observed> {
  readonly #outcomes: Observed[][] = [[], [], [], []];
  readonly #sets: string[] = ['[]'];
  #dirty: number[] = [];
  asked = 0;

  set(slot: number, ...outcomes: Observed[]): void {
    this.#outcomes[slot] = outcomes;
    this.#dirty.push(slot);
  }

  takeDirtySlots(): number[] {
    const dirty = this.#dirty;
    this.#dirty = [];
    return dirty;
  }

  outcomes(slot: number): readonly Observed[] {
    return this.#outcomes[slot] ?? [];
  }

  outcomeSet(slot: number): number {
    this.asked++;
    const key = JSON.stringify(this.outcomes(slot));
    if (!this.#sets.includes(key)) this.#sets.push(key);
    return this.#sets.indexOf(key);
  }
}

/** A contract over scripted hardware. `held`: what the architecture says of any tag or table. */
function world(held?: string) {
  const store = new Store();
  const reported: string[] = [];
  const observed: Observed[] = [];
  const text = held === undefined ? undefined : { text: held };
  const contract = new Contract<Observed>({
    store,
    world: WORLD,
    use: { asidInUse: () => text, tableHeld: () => text },
    observe: (outcome) => {
      observed.push(outcome);
      return outcome;
    },
    report: ({ rule }) => reported.push(rule),
  });
  return { contract, hardware: new ScriptedHardware(), reported, observed, store };
}

describe('Contract', () => {
  it('reports what hardware newly may do, and only once', () => {
    const { contract, hardware, reported } = world();
    for (const event of [attached(0), mapped(0, G)].flat()) contract.emit(event);
    hardware.set(0, translated(G));
    contract.check(hardware);
    expect(reported).toEqual([]);
    hardware.set(0, translated(G), translated(H), { kind: 'conflict' });
    contract.check(hardware);
    contract.check(hardware);
    expect(reported).toEqual(['unknown-translation', 'tlb-conflict']);
  });

  it('reports what software has promised away, although hardware did nothing', () => {
    const { contract, hardware, reported } = world();
    for (const event of [attached(0), mapped(0, G)].flat()) contract.emit(event);
    hardware.set(0, translated(G));
    contract.check(hardware);
    contract.emit(the.unmapBegin(0));
    contract.check(hardware);
    expect(reported).toEqual([]);
    contract.emit(the.unmapEnd(0));
    contract.check(hardware);
    expect(reported).toEqual(['stale-translation']);
  });

  it('finds the stream and page of a slot', () => {
    const { contract, hardware } = world();
    const seen: unknown[] = [];
    const { translation } = contract;
    translation.allows = (stream, page) => void seen.push([stream, page]);
    for (const slot of [0, 1, 2, 3]) hardware.set(slot, { kind: 'abort' });
    contract.check(hardware);
    expect(seen).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
  });

  it('asks nothing when nothing changed', () => {
    const { contract, hardware } = world();
    for (const event of [attached(0), mapped(0, G)].flat()) contract.emit(event);
    contract.check(hardware);
    const { asked } = hardware;
    contract.check(hardware);
    contract.emit(the.mapBegin(0, H));
    contract.check(hardware);
    expect(hardware.asked).toBe(asked);
    contract.emit(the.mapEnd(0));
    contract.check(hardware);
    expect(hardware.asked).toBe(asked + 1);
  });

  it('asks once what a set of outcomes means', () => {
    const { contract, hardware, observed } = world();
    for (const slot of [0, 1, 2]) hardware.set(slot, { kind: 'abort' });
    contract.check(hardware);
    hardware.set(3, { kind: 'abort' }, { kind: 'fault' });
    contract.check(hardware);
    expect(observed.map(({ kind }) => kind)).toEqual(['abort', 'abort', 'fault']);
  });

  it('reports tags and tables when they are freed', () => {
    const { contract, reported } = world('a TLB entry');
    contract.emit({ type: 'tag.free', kind: 'asid', tag: 5 });
    contract.emit({ type: 'table.free', pa: G, size: 4096 });
    expect(reported).toEqual(['tag-free-in-use', 'table-free-in-use']);
  });

  it('judges alike after going back and taking the same step again', () => {
    const { contract, hardware, reported, store } = world();
    for (const event of [attached(0), mapped(0, G)].flat()) contract.emit(event);
    hardware.set(0, translated(G));
    contract.check(hardware);
    for (let round = 1; round <= 2; round++) {
      const mark = store.mark();
      for (const event of unmapped(0)) contract.emit(event);
      contract.check(hardware);
      expect(reported.length).toBe(round);
      store.rollback(mark);
      contract.check(hardware);
      expect(reported.length).toBe(round);
    }
  });
});
