/**
 * How a QEMU process came to its end.
 *
 * A device model that dies on guest input is something to report, not a broken harness, so an ending is plain data
 * that a caller stores with the program that provoked it.
 */
export type QemuEnding =
  | { readonly kind: 'crash'; readonly signal: string; readonly message: string }
  | { readonly kind: 'exit'; readonly code: number; readonly message: string }
  | { readonly kind: 'hang'; readonly millisecondsMax: number; readonly message: string };

/** Rejection of every request that a dead (or unresponsive) QEMU leaves unanswered; carries the ending as data. */
export class QemuGone extends Error {
  readonly ending: QemuEnding;

  /** @param ending how the process ended; its `message` becomes the message of the error. */
  constructor(ending: QemuEnding) {
    super(`QEMU is gone (${ending.kind}): ${ending.message}`);
    this.name = 'QemuGone';
    this.ending = ending;
  }
}

/**
 * The line of a standard error output that says why the process died: its last line that is not empty.
 *
 * QEMU prints an assertion as `ERROR:file:line:function: assertion failed: (…)` followed by a `Bail out!` line with
 * the same text, and other fatal errors as one line.
 */
export const lastLine = (stderr: string): string => {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.at(-1)?.replace(/^Bail out! /, '') ?? 'no message on standard error';
};
