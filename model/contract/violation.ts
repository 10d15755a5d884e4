/**
 * A broken promise, as data. The same shape as the engine's failure, so that it can be handed on as it is; `monitor`
 * and `rule` say which promise, `data` carries the facts for a report.
 */
export interface Violation {
  readonly monitor: 'translation' | 'tags' | 'tables' | 'invalidation' | 'page-requests' | 'pasid';
  /** Kebab-case name of the rule, as listed in docs/contract.md. */
  readonly rule: string;
  /** One full sentence. */
  readonly message: string;
  readonly data: Readonly<Record<string, string | number>>;
}

/** What a monitor says of one thing: `undefined` when the contract permits it. */
export type Verdict = Violation | undefined;

/** An address as a report shows it. */
export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
