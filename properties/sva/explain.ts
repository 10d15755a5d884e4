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
  /** A process has two ASIDs. */
  readonly kpti: boolean;
  /** The entry, in words, if it is a CPU's: "CPU1: (ASID 1, 0x1000 → mm0.page0)". */
  readonly cpuEntry?: string;
}

/** Rules about the numbers that CPUs and devices know processes by. */
const NUMBERS = ['pinned-changed', 'pinned-shared', 'tag-shared', 'tag-split', 'running-not-reserved', 'no-free-asid'];

/** The *why* of a report: which promise, what contradicts it, and which invalidation missed it for what reason. */
export function explain(observation: Observation, failure: Failure, sources: FailureSources): readonly WhyLine[] {
  if (NUMBERS.includes(failure.rule)) return explainRollover(observation, failure);
  if (failure.monitor === 'invalidation') return overInvalidation(observation, failure, sources);
  const ofDevice = sources.sources.some((text) => text.startsWith('(ATC'));
  const lines = explainCommands(observation, failure, sources).map((line) => forEverybody(line, ofDevice));
  const missing = lines.findIndex(({ head }) => head === 'Missing');
  if (missing < 0) return lines;
  const missed = broadcasts(observation.steps, failure, sources);
  const { cpuEntry } = sources;
  const of = /^CPU\d+/.exec(cpuEntry ?? '')?.[0];
  const contradiction =
    of === undefined || lines.some(({ head }) => head === 'However')
      ? []
      : [{ head: 'However', text: `${of} may use ${cpuEntry?.slice(of.length + 2)}.` }];
  const commands = lines.slice(0, missing).filter(({ head, text }) => head !== 'Because' || text.startsWith('step'));
  const before = missed.length === 0 ? lines.slice(0, missing) : commands;
  return [...before, ...contradiction, ...missed, ...lines.slice(missing)];
}

/** CPUs reach pages as devices do, and what is missing can be a broadcast, a command, or one for the cache of a device. */
function forEverybody({ head, text }: WhyLine, ofDevice: boolean): WhyLine {
  const all = text
    .replace('that no device reaches the page', 'that neither a CPU nor a device reaches the page')
    .replace(/^the SMMU may use \(ATC of (dev\d+), /, '$1 may use what it was given by ATS: (')
    .replace(/^an invalidation of (ASID \d+|that entry)/, ofDevice ? 'a CMD_ATC_INV' : '$&');
  return {
    head,
    text: all.replace('completed by CMD_SYNC', ofDevice ? '$&' : 'completed by the DSB of its CPU or by CMD_SYNC'),
  };
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

/** Rules that say of an entry that it should have gone. */
const LEFT: Readonly<Record<string, RegExp>> = {
  'stale-translation': /^(PTE|L2)\(.*:= 0$|^unmap_vmas/,
  'table-free-in-use': /^(PTE|L2)\(.*:= 0$|^unmap_vmas/,
  'tag-free-in-use': /^CD\(/,
};

/** The broadcasts since the last entry was cleared, and why each has missed what is still there. */
function broadcasts(steps: readonly ObservedStep[], failure: Failure, sources: FailureSources): WhyLine[] {
  const change = LEFT[failure.rule];
  if (change === undefined) return [];
  const cleared = steps.findLastIndex(({ label }) => change.test(label));
  const agent = steps[cleared]?.agent;
  const operation = steps[cleared]?.operation;
  const entry =
    sources.cpuEntry ??
    [...sources.sources, String(failure.data?.['use'] ?? '')].find((text) => /ASID \d+|^\(ATC/.test(text)) ??
    '';
  const lines: WhyLine[] = [];
  for (const [at, { label, ...step }] of steps.entries()) {
    if (step.agent !== agent || step.operation !== operation) continue;
    if (label.startsWith('TLBI')) {
      const completes = steps.some((other, later) => later > at && other.agent === agent && other.label === 'DSB ISH');
      const reason = missedFor(label, entry, completes, sources);
      lines.push({ head: 'Because', text: `step ${at + 1} executed ${label}, ${reason}.` });
    } else if (label === 'no CMD_TLBI: BTM')
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
  const ofSmmu = sources.cpuEntry === undefined;
  if (entry.startsWith('(ATC')) return 'which the cache of a device does not hear';
  if (!/IS\b/.test(label))
    return ofSmmu ? 'which reaches no SMMU, for it is local' : 'which concerns its own CPU alone';
  if (ofSmmu && sources.broadcast === 'none') return 'which this SMMU cannot hear (IDR0.BTM = 0)';
  if (ofSmmu && sources.broadcast === 'permitted') return 'which this SMMU need not hear (CR2.PTM = 1)';
  if (held !== asid && !Number.isNaN(held) && !Number.isNaN(asid))
    return sources.kpti && held === (asid | 1)
      ? `for the kernel’s ASID of the pair, and the entry has the user’s (${held})`
      : `which is not the ASID of that entry (${held})`;
  if (ofSmmu && /\(EL2/.test(entry)) return 'which is of EL1, and the entry of EL2 (STE.STRW)';
  if (ofSmmu && (sources.privateAsids.includes(held) || label.includes('ASIDE1IS')))
    return 'which does not match that entry, whose context descriptor has ASET = 1 (IHI 0070 §3.17)';
  if (label.includes('VALE1') && entry.includes('→ table'))
    return 'for entries of the last level, and this is one of a table';
  return completes ? 'which came before the entry was walked again' : 'and did not wait for it with DSB ISH';
}
