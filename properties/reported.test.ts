import { describe, expect, it } from 'vitest';
import type { Failure } from '../engine/failure.ts';
import { Machine } from '../engine/machine.ts';
import { Reported } from './reported.ts';

const stale: Failure = {
  monitor: 'translation',
  rule: 'stale-translation',
  message: 'space 1 is reached',
  data: { use: 'space 1' },
};

function reported(): { readonly machine: Machine; readonly kept: Reported<string> } {
  const machine = new Machine();
  const kept = new Reported<string>(machine, (text) => text.replace('space 1', 'mm0'));
  kept.report(stale, ({ rule }) => `of ${rule}`);
  return { machine, kept };
}

describe('what a world reports', () => {
  it('ends the run, in its own words', () => {
    expect(reported().machine.failure).toEqual({ ...stale, message: 'mm0 is reached', data: { use: 'mm0' } });
  });

  it('is only the first of a run', () => {
    const { machine, kept } = reported();
    const first = machine.failure as Failure;
    kept.report({ ...stale, message: 'later' }, () => 'of what came later');
    expect(machine.failure).toBe(first);
    expect(kept.of(first)).toBe('of stale-translation');
  });

  it('says nothing of a failure that came another way', () => {
    const { machine, kept } = reported();
    const first = machine.failure as Failure;
    expect(kept.of({ ...first })).toBe('of stale-translation');
    expect(kept.of({ monitor: 'deadlock', rule: 'deadlock', message: 'CPU0 waits for CPU1.' })).toBeUndefined();
    expect(kept.of({ ...first, rule: 'spurious-abort' })).toBeUndefined();
    kept.clear();
    expect(kept.of(first)).toBeUndefined();
  });
});
