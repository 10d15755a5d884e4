/** What is wrong with a trace. */
export type TraceProblem =
  | 'unreadable'
  | 'not-json'
  | 'not-a-trace'
  | 'future-version'
  | 'invalid'
  | 'unknown-family'
  | 'unknown-hazard'
  | 'unknown-target'
  | 'wrong-world';

/** A trace that cannot be used. The message says what is wrong and what to do; it needs no stack. */
export class TraceError extends Error {
  override name = 'TraceError';
  readonly problem: TraceProblem;

  constructor(problem: TraceProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}
