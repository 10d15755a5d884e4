import type { Failure } from '../../engine/failure.ts';
import type { Observation, ObservedStep } from '../../engine/observe.ts';
import { explain as explainCommands, type FailureSources as SmmuSources } from '../asid/explain.ts';
import type { WhyLine } from '../family.ts';
import { explain as explainRollover } from '../rollover/explain.ts';

/** What the machine said about a violation at the moment it was noticed. */
export interface FailureSources extends SmmuSources {
  /** Whether the SMMU takes part in broadcasts. */
  readonly broadcast: 'required' | 'permitted' | 'none';
  /** ASIDs of context descriptors that have ASET = 1. */
  readonly privateAsids: readonly number[];
  /** The access that is not permitted is a CPU's, or the entry is. */
  readonly ofCpu: boolean;
}

/** Rules about the numbers that CPUs and devices know processes by. */
const NUMBERS = ['pinned-changed', 'pinned-shared', 'tag-shared', 'tag-split', 'running-not-reserved', 'no-free-asid'];

/** The *why* of a report: which promise, what contradicts it, and which invalidation missed it for what reason. */
export function explain(observation: Observation, failure: Failure, sources: FailureSources): readonly WhyLine[] {
  if (NUMBERS.includes(failure.rule)) return explainRollover(observation, failure);
  if (failure.monitor === 'invalidation') return overInvalidation(observation, failure, sources);
  const lines = explainCommands(observation, failure, sources);
  if (lines.every(({ head }) => head !== 'Missing')) return lines;
  const missed = broadcasts(observation.steps, failure, sources);
  const told = lines.filter(({ head, text }) => missed.length === 0 || head !== 'Because' || text.startsWith('step'));
  const missing = told.findIndex(({ head }) => head === 'Missing');
  const contradiction = sources.ofCpu && told.every(({ head }) => head !== 'However') ? [however(failure)] : [];
  return told.toSpliced(missing, 1, ...contradiction, ...missed, ...told.slice(missing, missing + 1).map(orBroadcast));
}

function however({ message }: Failure): WhyLine {
  return { head: 'However', text: message };
}

/** What is missing can be a broadcast as well as a command. */
function orBroadcast({ head, text }: WhyLine): WhyLine {
  return { head, text: text.replace('completed by CMD_SYNC', 'completed by the DSB of its CPU or by CMD_SYNC') };
}

function overInvalidation({ steps }: Observation, failure: Failure, { privateAsids }: FailureSources): WhyLine[] {
  const at = steps.findLastIndex(({ label }) => label.startsWith('TLBI'));
  const { asid } = failure.data ?? {};
  const aset = privateAsids.includes(Number(asid))
    ? []
    : [`the context descriptor with ASID ${String(asid)} has ASET = 0`];
  return [
    {
      head: 'Then',
      text: 'a process that has the number of a private domain unmaps its pages, and the domain loses nothing by that: its entries do not listen to broadcasts (ASET = 1, IHI 0070 §3.17).',
    },
    { head: 'However', text: failure.message },
    ...aset.map((text) => ({ head: 'Because', text: `${text}, and step ${at + 1} broadcast ${steps[at]?.label}.` })),
  ];
}

/** The broadcasts since the last entry was cleared, and why each has missed what is still there. */
function broadcasts(steps: readonly ObservedStep[], failure: Failure, sources: FailureSources): WhyLine[] {
  const cleared = steps.findLastIndex(({ label }) => /^(PTE|L2)\(.*:= 0$|^unmap_vmas/.test(label));
  const agent = steps[cleared]?.agent;
  const first = steps.findLastIndex(({ label }, at) => at <= cleared && /^(munmap|exit)\(?/.test(label));
  const texts = [...sources.sources, String(failure.data?.['use'] ?? ''), failure.message];
  const entry = texts.find((text) => /ASID \d+/.test(text)) ?? '';
  const lines: WhyLine[] = [];
  for (const [at, step] of steps.entries()) {
    if (at < Math.max(first, 0) || step.agent !== agent) continue;
    if (step.label.startsWith('TLBI')) {
      const completes = steps.some(({ label, agent: by }, later) => later > at && by === agent && label === 'DSB ISH');
      const reason = missedFor(step.label, entry, completes, sources);
      lines.push({ head: 'Because', text: `step ${at + 1} executed ${step.label}, ${reason}.` });
    } else if (step.label === 'no CMD_TLBI: BTM')
      lines.push({
        head: 'Because',
        text: `step ${at + 1} left the command out and relied on that (ARM_SMMU_FEAT_BTM).`,
      });
  }
  return lines;
}

/** Why a TLBI has not taken an entry away. */
function missedFor(label: string, entry: string, completes: boolean, sources: FailureSources): string {
  const held = Number(/ASID (\d+)/.exec(entry)?.[1] ?? NaN);
  const asid = Number(/ASID (\d+)/.exec(label)?.[1] ?? NaN);
  if (!sources.ofCpu) {
    if (!/IS\b/.test(label)) return 'which reaches no SMMU, for it is local';
    if (sources.broadcast === 'none') return 'which this SMMU cannot hear (IDR0.BTM = 0)';
    if (sources.broadcast === 'permitted') return 'which this SMMU need not hear (CR2.PTM = 1)';
  } else if (!/IS\b/.test(label)) return 'which concerns its own CPU alone';
  if (held !== asid && !Number.isNaN(held) && !Number.isNaN(asid))
    return held === (asid | 1) && asid % 2 === 0
      ? `for the kernel’s ASID of the pair, and the entry has the user’s (${held})`
      : `which is not the ASID of that entry (${held})`;
  if (!sources.ofCpu && /\(EL2/.test(entry)) return 'which is of EL1, and the entry of EL2 (STE.STRW)';
  if (!sources.ofCpu && sources.privateAsids.includes(held))
    return 'which does not match that entry, whose context descriptor has ASET = 1 (IHI 0070 §3.17)';
  if (label.includes('VALE1') && entry.includes('→ table'))
    return 'for entries of the last level, and this is one of a table';
  return completes ? 'which came before the entry was walked again' : 'and did not wait for it with DSB ISH';
}
