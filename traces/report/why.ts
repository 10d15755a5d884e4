import type { Failure } from '../../engine/failure.ts';
import type { ObservedStep } from '../../engine/observe.ts';
import type { WhyLine } from '../../properties/family.ts';
import type { Waiting } from '../align.ts';
import type { Replayed } from '../replay.ts';

/** The explanation at the end of a report: from the world, or from the waits if the program is stuck. */
export function whyLines(replayed: Replayed, failure: Failure): readonly WhyLine[] {
  if (failure.monitor === 'deadlock') return stuckLines(replayed);
  return replayed.world.explain(replayed.observation, failure);
}

function stuckLines({ observation, alignment }: Replayed): WhyLine[] {
  const { steps } = observation;
  return alignment.waiting.flatMap((wait) => {
    if (wait.holder !== undefined) return heldLines(steps, wait, wait.holder);
    return wakeLines(steps, wait);
  });
}

function heldLines(steps: readonly ObservedStep[], { agent, name }: Waiting, holder: string): WhyLine[] {
  const since = steps.findLastIndex((step) => step.agentName === holder && touches(step, name));
  const when = since < 0 ? 'from the start' : `since step ${since + 1}`;
  return [{ head: 'Waits', text: `${agent} waits for ${name}, which ${holder} holds ${when}.` }];
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
