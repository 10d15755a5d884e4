import { describe, expect, it } from 'vitest';
import { Changes } from './changes.ts';
import { indexUniverse } from './universe.ts';

const STREAMS = [3, 8, 9, 20];

function changes(): { made: Changes; streams: () => number[]; slots: () => number[] } {
  const made = new Changes(indexUniverse({ slots: STREAMS.map((streamId) => ({ streamId, substream: -1, va: 0 })) }));
  const taken = (take: (each: (one: number) => void) => void): number[] => {
    const all: number[] = [];
    take((one) => all.push(one));
    return all;
  };
  return {
    made,
    streams: () => taken((each) => made.takeStreams(each)),
    slots: () => taken((each) => made.takeSlots(each)),
  };
}

describe('what is to be looked at again', () => {
  it.each([
    [0, 3, []],
    [0, 4, [3]],
    [3, 1, [3]],
    [4, 4, []],
    [4, 5, [8]],
    [8, 2, [8, 9]],
    [9, 11, [9]],
    [9, 12, [9, 20]],
    [0, 2 ** 32, STREAMS],
  ])('are the streams of a range from %i of %i, and no others', (first, count, expected) => {
    const { made, streams } = changes();
    made.touchStreams(first, count);
    expect(made.inStreams).toBe(expected.length > 0);
    expect(streams()).toEqual(expected);
  });

  it('is taken once, in order', () => {
    const { made, streams, slots } = changes();
    made.touchStreams(9, 1);
    made.touchStreams(3, 1);
    made.touchStreams(9, 1);
    made.touchSlots([2, 0]);
    made.touchSlots([0, 3, 2]);
    expect([streams(), slots()]).toEqual([
      [3, 9],
      [2, 0, 3],
    ]);
    expect([made.inStreams, streams(), slots()]).toEqual([false, [], []]);
    made.touchStreams(9, 1);
    made.touchSlots([2]);
    expect([made.inStreams, streams(), slots()]).toEqual([true, [9], [2]]);
  });

  it('may grow while it is taken', () => {
    const { made } = changes();
    const seen: number[] = [];
    made.touchSlots([1]);
    made.takeSlots((slot) => {
      seen.push(slot);
      if (seen.length < 3) made.touchSlots([slot]);
    });
    expect(seen).toEqual([1, 1, 1]);
  });
});
