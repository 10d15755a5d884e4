import type { Change, ObservedStep } from '../../engine/observe.ts';
import type { Store } from '../../engine/store.ts';
import type { Handover } from '../align.ts';
import type { SoftwareTrace } from '../format.ts';
import type { Replayed } from '../replay.ts';
import type { Paint } from './paint.ts';
import { pad, widthOf, wrap } from './text.ts';

/** Steps shown of a long interleaving: from its beginning and from its end. */
const firstShown = 20;
const lastShown = 60;
const stateWidthMin = 34;
const agentWidthMin = 14;
/** Earlier steps named in "reads step 3". */
const sourcesMax = 2;
const hexFrom = 0x1000;
/** Column at which the reason of a switch begins. */
const reasonAt = 11;

/** One column of the table: an agent that makes at least one step. */
interface Column {
  readonly agent: number;
  readonly head: string;
  readonly width: number;
}

/** What a switch is needed for, as traces say it. */
type Necessary = NonNullable<SoftwareTrace['necessary']>[number];

/** The table of steps: one column for each agent, and what changed. */
export function interleavingLines(
  replayed: Replayed,
  necessary: readonly Necessary[],
  width: number,
  paint: Paint,
): string[] {
  const { observation, alignment } = replayed;
  const { steps } = observation;
  const cells = steps.map((step, at) => cellText(step, steps.slice(0, at)));
  const columns = columnsOf(steps, cells, width);
  const numberWidth = 6;
  const stateAt = numberWidth + columns.reduce((sum, column) => sum + column.width + 2, 0);
  const stateWidth = width - stateAt;
  const head = columns.map((column) => pad(clip(column.head, column.width), column.width + 2)).join('');
  const lines = [paint.bold(`${' '.repeat(numberWidth)}${head}state`.trimEnd())];
  const sources = new Sources(replayed.system.machine.store);
  for (const [at, step] of steps.entries()) {
    const state = [...stateTexts(step), ...sources.of(step, at)];
    if (isFolded(at, steps.length)) {
      if (at === firstShown)
        lines.push(paint.dim(`       … ${steps.length - firstShown - lastShown} steps; --step shows them …`));
      continue;
    }
    const handover = alignment.handovers.get(at);
    if (handover !== undefined) {
      lines.push(paint.switched(`       ─── ${handoverText(handover)} ───`));
      const reason = necessary.find((needed) => needed.at === at);
      if (reason !== undefined)
        for (const line of wrap(neededText(reason), width - reasonAt, ''))
          lines.push(' '.repeat(reasonAt) + paint.switched(line));
    }
    const failed = at === steps.length - 1 && replayed.failure !== undefined && !observation.ended;
    const cell = wrap(cells[at] ?? '', columns.find(({ agent }) => agent === step.agent)?.width ?? width);
    const wrapped = [...state, ...(failed ? ['✗'] : [])].flatMap((text) => wrap(text, stateWidth));
    for (let row = 0; row < Math.max(cell.length, wrapped.length); row++) {
      const number = row === 0 ? String(at + 1).padStart(4) : '    ';
      const middle = columns
        .map((column) => pad(column.agent === step.agent ? (cell[row] ?? '') : '', column.width + 2))
        .join('');
      const text = wrapped[row] ?? '';
      const shown = text === '✗' ? paint.bad(text) : paint.dim(text);
      lines.push(text === '' ? `${number}  ${middle}`.trimEnd() : `${number}  ${middle}${shown}`);
    }
  }
  if (observation.ended && replayed.failure !== undefined)
    lines.push(paint.bad(alignment.waiting.length > 0 ? '   ✗  nobody can go on' : '   ✗  every agent has ended'));
  return lines;
}

function isFolded(at: number, total: number): boolean {
  return total > firstShown + lastShown + 5 && at >= firstShown && at < total - lastShown;
}

/** A step in its agent's column; the first step of a further operation names that operation. */
function cellText(step: ObservedStep, before: readonly ObservedStep[]): string {
  const result = step.label.includes('→') ? '' : resultText(step);
  const previous = before.findLast((earlier) => earlier.agent === step.agent);
  const isNew = previous !== undefined && previous.operationIndex !== step.operationIndex;
  return `${isNew ? `[${step.operation}] ` : ''}${step.label}${result}`;
}

/** What a step returned; words and addresses in hexadecimal. */
export function resultText({ result }: ObservedStep): string {
  if (result === undefined) return '';
  if (typeof result !== 'number' || (result > -hexFrom && result < hexFrom)) return ` → ${String(result)}`;
  return ` → 0x${(result >>> 0).toString(16)}`;
}

function columnsOf(steps: readonly ObservedStep[], cells: readonly string[], width: number): Column[] {
  const agents = [...new Set(steps.map(({ agent }) => agent))].sort((a, b) => a - b);
  const available = width - 6 - stateWidthMin - 2 * agents.length;
  const wanted = agents.map((agent) => {
    const own = steps.flatMap((step, at) => (step.agent === agent ? [widthOf(cells[at] ?? '')] : []));
    return Math.max(agentWidthMin, widthOf(headOf(agent, steps)), ...own);
  });
  const widths = shareOut(wanted, Math.max(available, agentWidthMin * agents.length));
  return agents.map((agent, at) => ({ agent, head: headOf(agent, steps), width: widths[at] ?? agentWidthMin }));
}

function headOf(agent: number, steps: readonly ObservedStep[]): string {
  const first = steps.find((step) => step.agent === agent);
  return first === undefined ? '' : `${first.agentName} · ${first.operation}`;
}

/** Gives each what it wants; if that is too much, the widest give way first. */
function shareOut(wanted: readonly number[], available: number): number[] {
  const widths = [...wanted];
  const total = (): number => widths.reduce((sum, width) => sum + width, 0);
  while (total() > available) {
    const widest = Math.max(...widths);
    if (widest <= agentWidthMin) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function clip(text: string, width: number): string {
  return widthOf(text) <= width ? text : `${[...text].slice(0, width - 1).join('')}…`;
}

/** Why another agent goes on, in words. */
export function handoverText({ from, why, detail }: Handover): string {
  if (why === 'could-continue') return `switch: ${from} could continue (next: ${detail})`;
  return why === 'ended' ? `${from} has ended` : `${from} waits for ${detail}`;
}

/** Why a switch is needed, in words. */
export function neededText({ after, before }: Necessary): string {
  const parts: string[] = [];
  if (after !== undefined) {
    const { first, second, reads } = after;
    const order = reads ? `must read what step ${first + 1} wrote` : `must come after step ${first + 1}`;
    parts.push(`step ${second + 1} ${order}`);
  }
  if (before !== undefined) {
    const { step, agent, label, ahead } = before;
    parts.push(`step ${step + 1} must come before ${agent} does ${label} (${ordinal(ahead)} step from here)`);
  }
  return `needed: ${parts.join(', and ')}`;
}

function ordinal(count: number): string {
  if (count === 1) return 'its next';
  const last = count % 100 >= 11 && count % 100 <= 13 ? 0 : count % 10;
  return `its ${count}${['th', 'st', 'nd', 'rd'][last] ?? 'th'}`;
}

/** What a step changed; lock words are left out, because the label says it already. */
export function stateTexts(step: ObservedStep): string[] {
  const changes = step.changes.filter((change) => !isLockWord(change)).map(changeText);
  return [...changes, ...step.notes];
}

/**
 * A change; where both values begin with the same subject ("ASID 3 free", "ASID 3 owned by P"), that is its name. Sets that
 * begin with the same numbers have none.
 */
function changeText({ name, before, after }: Change): string {
  const from = before.split(' ');
  const to = after.split(' ');
  const differs = to.findIndex((word, at) => word !== from[at]);
  const subject = to.slice(0, Math.max(differs, 0));
  if (before.startsWith('{') || !subject.some((word) => /\d/.test(word))) return `${name} ${before} → ${after}`;
  return `${subject.join(' ')}: ${from.slice(subject.length).join(' ')} → ${to.slice(subject.length).join(' ')}`;
}

function isLockWord({ before, after }: Change): boolean {
  return before.startsWith('held by') || after.startsWith('held by');
}

/** Which earlier step of another agent wrote what a step reads: that is how the agents influence each other. */
class Sources {
  readonly #store: Store;
  readonly #writers = new Map<number, { at: number; agent: number }>();

  constructor(store: Store) {
    this.#store = store;
  }

  of(step: ObservedStep, at: number): string[] {
    const shown = step.reads.filter((cell) => this.#store.locate(cell).region.format !== undefined);
    const from = shown.flatMap((cell) => {
      const writer = this.#writers.get(cell);
      return writer === undefined || writer.agent === step.agent ? [] : [writer.at + 1];
    });
    for (const cell of step.writes) this.#writers.set(cell, { at, agent: step.agent });
    const latest = [...new Set(from)].sort((a, b) => a - b).slice(-sourcesMax);
    if (latest.length === 0) return [];
    return [`reads ${latest.length === 1 ? 'step' : 'steps'} ${latest.join(', ')}`];
  }
}
