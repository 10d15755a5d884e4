/** Exit codes of the command. Part of its interface: CI and `git bisect run` depend on them. */
export const exitCode = {
  /** Everything that was checked holds. */
  holds: 0,
  /** A violation was found, or a trace was reproduced. */
  violation: 1,
  /** The command line or a file named on it cannot be used. */
  usage: 2,
  /** The check itself is broken or shows nothing: no witness reached, a target that cannot be used, an internal error. */
  harness: 3,
  /** Ended by Ctrl-C before anything was found. */
  interrupted: 130,
} as const;

/** One of the exit codes. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** The most serious of several results, for a command that does several things. */
export function worst(codes: readonly ExitCode[]): ExitCode {
  const order: readonly ExitCode[] = [exitCode.violation, exitCode.harness, exitCode.usage, exitCode.interrupted];
  return order.find((code) => codes.includes(code)) ?? exitCode.holds;
}

/** A command line that cannot be carried out: the message names what is possible. Ends with exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
