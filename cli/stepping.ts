/** Walking through a trace step by step. The run is recorded first, so going back is as easy as going on. */
import { createInterface } from 'node:readline';
import type { Family } from '../properties/family.ts';
import type { SoftwareTrace } from '../traces/format.ts';
import { handoverText, resultText, stateTexts } from '../traces/report/interleaving.ts';
import { paint, type Paint } from '../traces/report/paint.ts';
import { plural } from '../traces/report/text.ts';
import { replaySoftware, type Replayed } from '../traces/replay.ts';
import type { Terminal } from './terminal.ts';

/** Where the user's answers come from. */
export interface Prompt {
  /** The next line, or undefined at the end of input. */
  ask(question: string): Promise<string | undefined>;
  close(): void;
}

const help = 'Enter: next step · number: so many · b: back · s: state · a: all the rest · q: quit';

interface Recorded {
  readonly lines: readonly string[];
  /** The world's notable state after the step. */
  readonly state: readonly string[];
}

/** Shows the steps of a trace one by one; all of them at once if there is nobody to ask. */
export async function stepThrough(
  trace: SoftwareTrace,
  family: Family,
  terminal: Terminal,
  prompt = terminalPrompt(),
): Promise<void> {
  const steps = record(trace, family, paint(terminal.colour));
  terminal.print(`${plural(steps.length, 'step')}.${prompt === undefined ? '' : ` ${help}`}`);
  if (prompt === undefined) {
    for (const { lines } of steps) terminal.print(lines.join('\n'));
    return;
  }
  try {
    await walk(steps, terminal, prompt);
  } finally {
    prompt.close();
  }
}

async function walk(steps: readonly Recorded[], terminal: Terminal, prompt: Prompt): Promise<void> {
  let at = 0;
  while (at < steps.length) {
    const answer = (await prompt.ask(`${at}/${steps.length}> `))?.trim();
    if (answer === undefined || answer === 'q') return;
    if (answer === 'b') at = Math.max(0, at - 2);
    else if (answer === 's') {
      terminal.print(
        (steps[at - 1]?.state ?? ['(nothing has happened yet)']).map((line) => `      ${line}`).join('\n'),
      );
      continue;
    } else if (answer !== '' && answer !== 'a' && !/^\d+$/.test(answer)) {
      terminal.print(help);
      continue;
    }
    const many = answer === 'a' ? steps.length : /^\d+$/.test(answer) ? Number(answer) : 1;
    for (const { lines } of steps.slice(at, at + many)) terminal.print(lines.join('\n'));
    at = Math.min(steps.length, at + many);
  }
}

function record(trace: SoftwareTrace, family: Family, inks: Paint): Recorded[] {
  const states: (readonly string[])[] = [];
  const replayed: Replayed = replaySoftware(trace, family, (_step, world) => states.push(world.snapshot()));
  return replayed.observation.steps.map((step, at) => {
    const handover = replayed.alignment.handovers.get(at);
    const head = `${String(at + 1).padStart(4)}  ${inks.bold(step.agentName)} · ${step.operation} · ${step.label}${resultText(step)}`;
    const switched = handover === undefined ? [] : [inks.switched(`      ─── ${handoverText(handover)} ───`)];
    return {
      lines: [...switched, head, ...stateTexts(step).map((text) => `        ${inks.dim(text)}`)],
      state: states[at] ?? [],
    };
  });
}

function terminalPrompt(): Prompt | undefined {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return undefined;
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  return {
    ask: (question) =>
      new Promise((resolve) => {
        reader.once('close', () => resolve(undefined));
        reader.question(question, resolve);
      }),
    close: () => reader.close(),
  };
}
