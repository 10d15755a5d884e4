/**
 * Something that a task can wait for. Deadlock reports are written from it: who waits for what, who holds it, and who
 * could have ended the wait.
 */
export interface Waitable {
  /** What is waited for: "asid_lock", "completion prq_complete". */
  readonly name: string;
  /** True if the waiting step can run now. Pure: reads the store, writes nothing. */
  ready(): boolean;
  /** Index of the agent that holds it, or -1. Pure. */
  holder?(): number;
  /** What ends such a wait, in words: "unlock", "complete()". */
  readonly ender?: string;
}
