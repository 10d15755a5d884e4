/**
 * What went wrong, as data. Reported by monitors, by the synchronisation primitives and by the engine itself; the first
 * failure ends the run. `monitor` and `rule` together say which promise was broken, `fingerprint` which bug it is.
 */
export interface Failure {
  /** Who noticed: "translation", "tags", "safety", "deadlock", … */
  readonly monitor: string;
  /** The rule broken, kebab-case: "stale-translation", "use-after-free", … */
  readonly rule: string;
  /** One full sentence for a person. */
  readonly message: string;
  /** Facts for the report. */
  readonly data?: Readonly<Record<string, string | number>>;
}

/** Names the bug that a failure shows: two failures with the same fingerprint are the same for minimiser and replay. */
export function fingerprint(failure: Failure): string {
  const kind = failure.data?.['kind'];
  return `${failure.monitor}/${failure.rule}${kind === undefined ? '' : `/${kind}`}`;
}

/** A broken harness (not a finding): a world that runs out of its own bounds, software that is not deterministic. */
export class HarnessError extends Error {
  override name = 'HarnessError';
}
