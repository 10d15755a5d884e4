import { expect, test } from 'vitest';
import { runToCompletion } from '../engine/complete.ts';
import { Machine } from '../engine/machine.ts';
import { Step, step, type Task } from '../engine/step.ts';
import { Tallies } from './tallies.ts';

function* operation(applies: boolean): Task<boolean> {
  yield* step('first', () => undefined);
  return yield* step('second', () => applies);
}

test('notes, operations and those that did not apply are counted apart', () => {
  const tallies = new Tallies(new Machine(), ['a table is freed', 'a roll-over'], ['map', 'unmap', 'flush']);
  tallies.noted('a roll-over');
  tallies.ran('map', true);
  runToCompletion(tallies.counted('map', operation(false)));
  runToCompletion(tallies.counted('flush', operation(true)));
  expect(tallies.counters).toEqual({
    witnesses: { 'a table is freed': 0, 'a roll-over': 1 },
    operations: { map: { run: 2, rejected: 1 }, unmap: { run: 0, rejected: 0 }, flush: { run: 1, rejected: 0 } },
  });
});

test('an operation counts from its first step on', () => {
  const tallies = new Tallies(new Machine(), [], ['map']);
  const run = tallies.counted('map', operation(true));
  const { value: first } = run.next();
  expect(tallies.counters.operations['map']).toEqual({ run: 0, rejected: 0 });
  if (first instanceof Step) first.run();
  expect(tallies.counters.operations['map']).toEqual({ run: 1, rejected: 0 });
});

test('what was counted is forgotten', () => {
  const tallies = new Tallies(new Machine(), ['a roll-over'], ['map']);
  tallies.noted('a roll-over');
  tallies.ran('map', false);
  tallies.clear();
  expect(tallies.counters).toEqual({ witnesses: { 'a roll-over': 0 }, operations: { map: { run: 0, rejected: 0 } } });
});
