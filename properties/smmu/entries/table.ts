import {
  arm_smmu_get_cd_used,
  arm_smmu_get_ste_update_safe,
  arm_smmu_get_ste_used,
  planEntryUpdate,
} from '../../../impl/kernel/config-entry.ts';
import { contentsOf, type Subject } from './configuration.ts';
import { necessary, type Necessary } from './minimal.ts';

/** One update: what the driver does, and what would do. */
export interface PairPlan {
  readonly from: string;
  readonly to: string;
  readonly breaking: boolean;
  /** CFGI and CMD_SYNC pairs. */
  readonly syncs: number;
  readonly necessary: Necessary;
}

/** The plans of all pairs of a subject, by rows of one first content each. */
export function plans(subject: Subject): PairPlan[][] {
  const contents = contentsOf(subject);
  return contents.map(({ name: from, lanes: old }) =>
    contents.map(({ name: to, lanes: target }) => {
      const { breaking, phases } =
        subject === 'ste'
          ? planEntryUpdate(old, target, arm_smmu_get_ste_used, arm_smmu_get_ste_update_safe)
          : planEntryUpdate(old, target, arm_smmu_get_cd_used);
      const syncs = phases.filter((words) => words !== 0).length;
      return { from, to, breaking, syncs, necessary: necessary(subject, old, target) };
    }),
  );
}

/** Whether the driver needs no more invalidations, and makes the entry invalid only where that cannot be helped. */
export function isMinimal({ breaking, syncs, necessary: { hitless, breaking: through } }: PairPlan): boolean {
  if (breaking) return hitless.exact === undefined && syncs === through.exact;
  return syncs === hitless.exact;
}

/** The table as Markdown: for each pair the number of invalidations, `!` if the entry is invalid in between, `*` if less would do. */
export function markdown(subject: Subject): string {
  const rows = plans(subject);
  const heads = rows.map((_, at) => String(at + 1));
  const lines = [
    `| from \\ to | ${heads.join(' | ')} |`,
    `|---|${heads.map(() => '---').join('|')}|`,
    ...rows.map((row, at) => {
      const cells = row.map((pair) =>
        pair.syncs === 0 ? '·' : `${pair.syncs}${pair.breaking ? '!' : ''}${isMinimal(pair) ? '' : '\\*'}`,
      );
      return `| ${at + 1} ${row[0]?.from ?? ''} | ${cells.join(' | ')} |`;
    }),
  ];
  return lines.join('\n');
}
