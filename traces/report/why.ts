import type { Failure } from '../../engine/failure.ts';
import type { ObservedStep } from '../../engine/observe.ts';
import type { WhyLine } from '../../properties/family.ts';
import type { Waiting } from '../align.ts';
import type { Replayed } from '../replay.ts';

/** The explanation at the end of a report: from the world, or from the waits if the program is stuck. */
export function whyLines(replayed: Replayed, failure: Failure): readonly WhyLine[] {
  const { world, observation } = replayed;
  if (failure.monitor === 'deadlock')
    return [...stuckLines(replayed), ...(world.explainStuck?.(observation, failure) ?? [])];
  return world.explain(observation, failure);
}

function stuckLines({ observation, alignment }: Replayed): WhyLine[] {
  const { steps } = observation;
  const lines = alignment.waiting.flatMap((wait) => {
    if (wait.holder !== undefined) return heldLines(steps, wait, wait.holder);
    return wakeLines(steps, wait);
  });
  return [...lines, ...cycleLines(alignment.waiting)];
}

/** What would break a cycle in which somebody waits for work that another one does, which no lock shows. */
function cycleLines(waiting: readonly Waiting[]): WhyLine[] {
  const work = waiting.find(({ name, holder }) => isWork(name) && holder !== undefined);
  const back = work === undefined ? undefined : waiting.find(({ agent }) => agent === work.holder);
  if (work === undefined || back?.holder === undefined) return [];
  const itself = back.agent === work.agent;
  const text = itself
    ? `${work.agent} would have to end its work, and waits for that.`
    : `the cycle would break if ${work.agent} did not hold ${back.name} while it waits for ${work.name}, or if a work did not take it.`;
  return back.holder === work.agent ? [{ head: 'However', text }] : [];
}

/** How a work queue calls what `flush_workqueue()` waits for. */
function isWork(name: string): boolean {
  return name.startsWith('works of ');
}

function heldLines(steps: readonly ObservedStep[], { agent, name }: Waiting, holder: string): WhyLine[] {
  const takes = (step: ObservedStep): boolean => (isWork(name) ? step.label === 'take work' : touches(step, name));
  const since = steps.findLastIndex((step) => step.agentName === holder && takes(step));
  const when = since < 0 ? 'from the start' : `since step ${since + 1}`;
  const verb = isWork(name) ? 'runs' : 'holds';
  return [{ head: 'Waits', text: `${agent} waits for ${name}, which ${holder} ${verb} ${when}.` }];
}

function wakeLines(steps: readonly ObservedStep[], { agent, name, ender }: Waiting): WhyLine[] {
  const earlier = steps.flatMap((step, at) =>
    touches(step, name) ? [`step ${at + 1} (${step.agentName}: ${step.label})`] : [],
  );
  const woken =
    ender === undefined
      ? 'Nothing is known to end this wait.'
      : `${ender} would end the wait, and no agent is left to do it.`;
  const before =
    earlier.length === 0
      ? `No step ever changed ${name}.`
      : `${name} was last changed by ${earlier.at(-1)}, too early for this wait.`;
  return [
    { head: 'Waits', text: `${agent} waits for ${name}.` },
    { head: 'However', text: `${woken} ${before}` },
  ];
}

/** True if a step changed the word of a lock or a completion, which is named with or without its kind. */
function touches(step: ObservedStep, name: string): boolean {
  return step.changes.some((change) => name === change.name || name.endsWith(` ${change.name}`));
}
