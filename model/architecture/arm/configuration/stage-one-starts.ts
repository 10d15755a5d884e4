import type { Tlb } from '../translation/tlb.ts';
import type { WalkNode } from '../translation/walk-node.ts';
import type { LookupConfig } from './lookup-config.ts';

/** A context may use other configurations than before: walks of stage 1 start from those alone. */
export function moveStarts(tlb: Tlb, before: readonly LookupConfig[], after: readonly LookupConfig[]): void {
  const old = startsOf(before);
  const now = startsOf(after);
  for (const start of now) if (!old.has(start)) tlb.addStart(start);
  for (const start of old) if (!now.has(start)) tlb.removeStart(start);
}

function startsOf(configs: readonly LookupConfig[]): Set<WalkNode> {
  const starts = new Set<WalkNode>();
  for (const config of configs) {
    if (config.kind !== 'translate') continue;
    for (const start of config.starts) if (start !== undefined) starts.add(start);
  }
  return starts;
}
