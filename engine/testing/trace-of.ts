import { Automaton, type Node } from '../automaton.ts';
import type { Footprint, Footprints } from '../footprint.ts';
import { HappensBefore } from '../happens-before.ts';
import type { System } from '../system.ts';
import { TracedSteps } from '../traced-steps.ts';

interface Event {
  readonly node: Node;
  readonly footprint: Footprint;
}

/**
 * Runs a schedule, past steps that fail: the fingerprint of its happens-before relation, or of that of the last step and
 * what happens before it.
 */
export function traceOf(system: System, schedule: readonly number[], ofWhat: 'all' | 'past of the last step'): string {
  const { machine } = system;
  machine.agents = system.agents;
  const automaton = new Automaton(system.agents);
  const steps = new TracedSteps(system, automaton, false);
  const nodes = system.agents.map((_, agent) => automaton.start(agent));
  const mark = machine.store.mark();
  const events = schedule.map((agent): Event => {
    const node = nodes[agent] as Node;
    machine.current = agent;
    nodes[agent] = steps.step(node);
    machine.current = -1;
    machine.failure = undefined;
    return { node, footprint: steps.footprint };
  });
  machine.store.rollback(mark);
  const relation = new HappensBefore();
  relation.begin();
  const kept = ofWhat === 'all' ? events : pastOfLast(events, steps.footprints);
  for (const { node, footprint } of kept) relation.step(node, footprint);
  return `${relation.low} ${relation.high}`;
}

/** The last event and those that happen before it, in their order. */
function pastOfLast(events: readonly Event[], footprints: Footprints): Event[] {
  const past: Event[] = [];
  for (const event of events.toReversed()) {
    const isPast = (later: Event): boolean =>
      later.node.agent === event.node.agent || footprints.dependent(later.footprint, event.footprint);
    if (past.length === 0 || past.some(isPast)) past.unshift(event);
  }
  return past;
}
