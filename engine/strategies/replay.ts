import type { Strategy } from './strategy.ts';

/** Follows a recorded schedule (agent indices); ends the run where the recorded agent is not enabled. */
export function replay(schedule: ArrayLike<number>): Strategy {
  return {
    name: 'replay',
    begin: () => undefined,
    pick: (enabled, count, step) => {
      if (step >= schedule.length) return -1;
      const wanted = schedule[step] as number;
      for (let at = 0; at < count; at++) if (enabled[at] === wanted) return wanted;
      return -1;
    },
  };
}
