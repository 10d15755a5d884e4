import type { Observation, ObservedStep } from '../observe.ts';
import { numberless, operationShape, stepShape } from './shape.ts';

/** Two accesses of one shared variable by operations that overlap in time, the order of which made a difference. */
export interface Race {
  /** Indices of the steps; `first` came first. */
  readonly first: number;
  readonly second: number;
  /** Name of the variable. */
  readonly cell: string;
  /** Both in shapes: "bind: domain#.asid := # → unmap: load domain#.asid". */
  readonly text: string;
  /** The same without who wrote (a store buffer may, for the operation): "unmap: load domain#.asid, late: domain#.asid". */
  readonly read: string;
}

/** A run of consecutive operations of one agent: here, one operation. */
interface Span {
  readonly agent: number;
  readonly operation: number;
  readonly from: number;
  readonly to: number;
  readonly finished: boolean;
}

/**
 * What the failing operation raced with: for each named variable that it read, who of the operations that overlap with it
 * had written it last (it read something too new), and who wrote it soon after (it read something too old).
 *
 * From footprints alone. Words of locks are left out, since they order everything, and so are internal regions of the
 * store: what hardware holds depends on nearly every step. A failure that is no step's (a deadlock, a leak) has the races
 * of all operations.
 */
export function racesOf(observation: Observation): Race[] {
  const { steps, ended } = observation;
  const spans = spansOf(observation);
  const last = steps.at(-1);
  const races: Race[] = [];
  steps.forEach((step, at) => {
    if (!ended && last !== undefined && !sameOperation(step, last)) return;
    // What a step reads and does not hand on to its task decides nothing, unless the step fails.
    if (step.result === undefined && step !== last) return;
    const own = spans.find((span) => holds(span, step));
    const rivals = spans.filter((span) => own !== undefined && span.agent !== own.agent && overlap(span, own));
    const isRival = (other: number): boolean => rivals.some((span) => holds(span, steps[other] as ObservedStep));
    for (const cell of new Set(step.reads)) {
      const writes = (other: number): boolean => named(steps[other] as ObservedStep, cell) !== undefined;
      const before = findLast(0, at, writes);
      // A lost update shows only at the end, and has the reader's own store between the two.
      const after = findFirst(at + 1, steps.length, (other) => writes(other) && (!ended || isRival(other)));
      for (const other of [before, after]) {
        if (other < 0 || !isRival(other)) continue;
        const [first, second] = other < at ? [other, at] : [at, other];
        const text = `${shapeOf(steps[first] as ObservedStep)} → ${shapeOf(steps[second] as ObservedStep)}`;
        const name = named(steps[other] as ObservedStep, cell) ?? '';
        // At the end nobody is to blame more than the other: a lost update has two sides.
        const side = ended ? '' : `${shapeOf(step)}, ${other < at ? 'late' : 'early'}: `;
        const read = `${side}${numberless(name)}`;
        races.push({ first, second, cell: name, text, read });
      }
    }
  });
  return races.filter((race, at) => races.findIndex(({ text }) => text === race.text) === at);
}

/** Name of a variable that a step changed; undefined if it did not, or if the word has no name or is a lock's. */
function named(step: ObservedStep, cell: number): string | undefined {
  const change = step.changes.find((one) => one.cell === cell);
  if (change === undefined || change.before.startsWith('held by') || change.after.startsWith('held by'))
    return undefined;
  return change.name;
}

function shapeOf(step: ObservedStep): string {
  return `${operationShape(step.operation)}: ${stepShape(step.label)}`;
}

function spansOf({ steps, standing }: Observation): Span[] {
  const spans = new Map<string, Span>();
  steps.forEach(({ agent, operationIndex: operation }, at) => {
    const key = `${agent}/${operation}`;
    const finished = (standing[agent] ?? 0) > operation;
    spans.set(key, { agent, operation, from: spans.get(key)?.from ?? at, to: at, finished });
  });
  return [...spans.values()];
}

function holds({ agent, operation }: Span, step: ObservedStep): boolean {
  return step.agent === agent && step.operationIndex === operation;
}

function sameOperation(a: ObservedStep, b: ObservedStep): boolean {
  return a.agent === b.agent && a.operationIndex === b.operationIndex;
}

/** True if neither operation had ended before the other began. */
function overlap(a: Span, b: Span): boolean {
  return !(a.finished && a.to < b.from) && !(b.finished && b.to < a.from);
}

/** The first number of a range for which something holds, or -1. */
function findFirst(from: number, to: number, holdsFor: (one: number) => boolean): number {
  for (let one = from; one < to; one++) if (holdsFor(one)) return one;
  return -1;
}

function findLast(from: number, to: number, holdsFor: (one: number) => boolean): number {
  for (let one = to - 1; one >= from; one--) if (holdsFor(one)) return one;
  return -1;
}
