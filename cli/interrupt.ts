import { exitCode } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** Whether the user wants the command to end. */
export interface Interrupt {
  /** True after the first Ctrl-C. */
  readonly requested: () => boolean;
  readonly signal: AbortSignal;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs an action that can be ended early: the first Ctrl-C asks it to come to an end and report what it has, the second
 * one ends the process at once (what was found is on disk by then).
 */
export async function interruptible<T>(terminal: Terminal, action: (interrupt: Interrupt) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exitCode.interrupted);
    terminal.warn('Stopping; once more to quit at once.');
    controller.abort();
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await action({ requested: () => controller.signal.aborted, signal: controller.signal });
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
