import { expect, test } from 'vitest';
import { Machine } from '../../engine/machine.ts';
import { FailNth } from './fail-nth.ts';

test('the n-th allocation of a task fails, once, and no other task’s', () => {
  const machine = new Machine();
  const failNth = new FailNth(machine);
  let failures = 0;
  failNth.onFailure = () => void failures++;
  const as = (agent: number) => (machine.current = agent);
  as(1);
  failNth.arm(2).run();
  as(0);
  expect([failNth.shouldFail(), failNth.shouldFail()]).toEqual([false, false]);
  as(1);
  const mark = machine.store.mark();
  expect([1, 2, 3, 4].map(() => failNth.shouldFail())).toEqual([false, true, false, false]);
  machine.store.rollback(mark);
  expect([failNth.shouldFail(), failNth.shouldFail()]).toEqual([false, true]);
  expect(failures).toBe(2);
});

test('arming again forgets what was to fail before, and nothing fails during set-up', () => {
  const machine = new Machine();
  const failNth = new FailNth(machine);
  expect(failNth.shouldFail()).toBe(false);
  machine.current = 0;
  failNth.arm(3).run();
  failNth.arm(1).run();
  expect([failNth.shouldFail(), failNth.shouldFail(), failNth.shouldFail()]).toEqual([true, false, false]);
});

test('a task arms another one by its name', () => {
  const machine = new Machine();
  const failNth = new FailNth(machine);
  machine.agents = ['CPU0', 'irq'].map((name) => ({ name, context: 'process' as const }));
  machine.current = 0;
  failNth.armTask('irq', 1).run();
  expect(failNth.shouldFail()).toBe(false);
  machine.current = 1;
  expect([failNth.shouldFail(), failNth.shouldFail()]).toEqual([true, false]);
  expect(() => failNth.armTask('kthread', 1).run()).toThrow('there is no task kthread');
});
