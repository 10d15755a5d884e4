import { racesOf, type Race } from '../../engine/bug/races.ts';
import type { Failure } from '../../engine/failure.ts';
import type { Observation, ObservedStep } from '../../engine/observe.ts';
import type { WhyLine } from '../family.ts';

/** What the architecture said about a violation at the moment it was noticed. */
export interface FailureSources {
  /** Held entries or configuration that make the outcome possible, in words. */
  readonly sources: readonly string[];
  /** Everything that is configured or held for the same stream, in words, if nothing more exact is known. */
  readonly configured: readonly string[];
}

/** The *why* of a report: which promise, what contradicts it, because of which steps, what was missing. */
export function explain(
  observation: Observation,
  failure: Failure,
  sources: FailureSources | undefined,
): readonly WhyLine[] {
  const story = new Story(observation, failure, sources ?? { sources: [], configured: [] });
  switch (failure.monitor) {
    case 'translation':
      return story.translation();
    case 'tables':
    case 'tags':
      return story.givenBack();
    default:
      return story.execution();
  }
}

/** The kind of structure that a failure happens through: of what was to be translated if it was, else of configuration. */
export function structure(failure: Failure, sources: FailureSources | undefined): string | undefined {
  const texts = [...(sources?.sources ?? []), String(failure.data?.['use'] ?? '')];
  const kinds = STRUCTURES.filter(([is]) => texts.some((text) => is.test(text))).map(([, kind]) => kind);
  const refused = failure.data?.['pa'] === undefined && failure.rule !== 'tlb-conflict';
  return refused ? kinds.at(-1) : kinds[0];
}

/** How the architecture describes what it holds. */
const STRUCTURES: readonly (readonly [RegExp, string])[] = [
  [/walked through the table/, 'TLB entry'],
  [/→ table of level .*from a CD/, 'CD'],
  [/→ table of level (?!.*from a CD)/, 'walk cache'],
  [/^the descriptor at/, 'descriptor'],
  [/^(STE|L1STD) of/, 'STE'],
  [/^(the )?(CD|L1CD) of/, 'CD'],
  [/translated under ASID|bypasses translation|^the configuration of/, 'configuration'],
];

/** What an invalidation command's label says. */
interface Invalidation {
  readonly step: number;
  readonly label: string;
  readonly asid: number | undefined;
}

class Story {
  readonly #steps: readonly ObservedStep[];
  readonly #failure: Failure;
  readonly #sources: FailureSources;
  readonly #races: readonly Race[];
  /** Index of the failing step. */
  readonly #last: number;

  constructor(observation: Observation, failure: Failure, sources: FailureSources) {
    const { steps } = observation;
    this.#steps = steps;
    this.#races = racesOf(observation);
    this.#failure = failure;
    this.#sources = sources;
    this.#last = steps.length - 1;
  }

  /** A device may see what a promise excludes. */
  translation(): WhyLine[] {
    const { rule, data = {} } = this.#failure;
    const promise = String(data['promise'] ?? '');
    const promising = this.#promisingStep(promise);
    const lines: WhyLine[] = [
      { head: 'Then', text: `${this.#at(promising)} ${PROMISES[promise] ?? `relies on ${promise}`}.` },
    ];
    for (const source of this.#sources.sources.slice(0, 2))
      lines.push({ head: 'However', text: `the SMMU may use ${source}${this.#since(source)}.` });
    if (this.#sources.sources.length === 0)
      for (const text of this.#sources.configured.slice(0, 2))
        lines.push({ head: 'However', text: `the SMMU may hold ${text}.` });
    if (rule === 'stale-translation' || rule === 'wrong-address-space' || rule === 'translated-while-blocked')
      return [...lines, ...this.#invalidations(promising)];
    if (rule === 'tlb-conflict')
      return [
        ...lines,
        {
          head: 'Missing',
          text: 'break-before-make: the old entry invalid, its invalidation complete (CMD_SYNC), and only then the new entry.',
        },
      ];
    const words = this.#entryWrites();
    if (words.length > 0)
      lines.push({
        head: 'Because',
        text: `the entry was rewritten in ${words.map((step) => this.#short(step)).join(', ')}, and a fetch reads it word by word.`,
      });
    lines.push({
      head: 'Missing',
      text: 'an order of the words, with CFGI and CMD_SYNC between them, in which every mix of old and new is one of the two configurations (or V=0 first).',
    });
    return lines;
  }

  /** ", since step 10 (…)": which write made what hardware may hold; the last one, if it went and came again. */
  #since(source: string): string {
    const held = `+ held: ${source.replace(/, walked.*/, '')}`;
    const made = this.#findBack(this.#last, ({ notes }) => notes.includes(held));
    if (made >= 0) return `, since ${this.#short(made)}`;
    return /^\(.*walked/.test(source) ? ', held from the start' : '';
  }

  /** A tag or a table page went back to its allocator too early. */
  givenBack(): WhyLine[] {
    const { rule, message, data = {} } = this.#failure;
    const use = typeof data['use'] === 'string' ? data['use'] : undefined;
    const what =
      this.#failure.monitor === 'tables'
        ? 'the page is a page table no more and may be given to anybody'
        : 'the ASID may be given to another address space';
    const lines: WhyLine[] = [{ head: 'Then', text: `${this.#at(this.#last)} promised that ${what}.` }];
    lines.push({ head: 'However', text: use === undefined ? message : `the SMMU may still use it: ${use}.` });
    return rule === 'tag-not-unique' || rule === 'tag-not-owned'
      ? lines
      : [...lines, ...this.#invalidations(this.#last)];
  }

  /** Use after free, reference counts, sleeping in atomic context, leaks. */
  execution(): WhyLine[] {
    const { data = {}, message } = this.#failure;
    const object = String(data['object'] ?? '');
    const freed =
      object === ''
        ? -1
        : this.#findBack(this.#last - 1, (step) =>
            step.changes.some(
              ({ name, after }) => name.includes('state') && after.startsWith(object) && after.endsWith('freed'),
            ),
          );
    const lines: WhyLine[] = [];
    if (freed >= 0) lines.push({ head: 'Then', text: `${this.#at(freed)} freed ${object}.` });
    lines.push({ head: freed >= 0 ? 'However' : 'Then', text: `${this.#at(this.#last)}: ${message}` });
    return freed >= 0 ? lines : [...lines, ...this.#changedBefore()];
  }

  /** Who had changed what the failing step relied on. */
  #changedBefore(): WhyLine[] {
    return this.#races
      .filter(({ second }) => second === this.#last)
      .map(({ first, cell }) => ({
        head: 'Because',
        text: `${this.#at(first)} had changed ${cell}, on which this step relies.`,
      }));
  }

  /** Which invalidations were issued since the page table or configuration changed, and what they left. */
  #invalidations(promising: number): WhyLine[] {
    const changed = this.#findBack(
      promising,
      (step) => /^(PTE|L\d)\(.*:= 0|^(CD|STE)\(/.test(step.label) && step.agent === this.#steps[promising]?.agent,
    );
    const issued: Invalidation[] = [];
    for (let at = Math.max(changed, 0); at <= promising; at++) {
      const step = this.#steps[at] as ObservedStep;
      if (!step.label.startsWith('CMD_TLBI')) continue;
      const asid = /ASID (\d+)/.exec(step.label)?.[1];
      issued.push({ step: at, label: step.label, asid: asid === undefined ? undefined : Number(asid) });
    }
    const text = [
      ...this.#sources.sources,
      ...this.#sources.configured,
      String(this.#failure.data?.['use'] ?? ''),
    ].join(' ');
    const held = /ASID (\d+)/.exec(text)?.[1];
    return [...this.#because(issued, held, changed), this.#missing(held, changed, promising)];
  }

  #because(issued: readonly Invalidation[], held: string | undefined, changed: number): WhyLine[] {
    if (issued.length === 0)
      return [
        {
          head: 'Because',
          text: changed < 0 ? 'nothing was invalidated.' : `nothing was invalidated since ${this.#short(changed)}.`,
        },
      ];
    return issued.map(({ step, label, asid }) => {
      const other = held !== undefined && asid !== undefined && String(asid) !== held;
      const unsynced = !this.#steps
        .slice(step)
        .some((later) => later.label === 'CMD_SYNC' && later.agent === this.#steps[step]?.agent);
      const reason = other
        ? `which is not the ASID of that entry (${held})${this.#decidedBy(step)}`
        : unsynced
          ? 'but did not wait for it with CMD_SYNC'
          : 'which does not cover that entry, or came before it was walked again';
      return { head: 'Because', text: `step ${step + 1} issued ${label}, ${reason}.` };
    });
  }

  /** ", as step 12 read what step 8 wrote": where the choice of an ASID came from. */
  #decidedBy(step: number): string {
    const agent = this.#steps[step]?.agent;
    const load = this.#findBack(step - 1, (earlier) => earlier.agent === agent && earlier.label.startsWith('load '));
    if (load < 0) return '';
    const reads = new Set(this.#steps[load]?.reads);
    const write = this.#findBack(
      load - 1,
      (earlier) => earlier.agent !== agent && earlier.writes.some((cell) => reads.has(cell)),
    );
    return write < 0 ? '' : `: step ${load + 1} read what ${this.#short(write)} had stored`;
  }

  #missing(held: string | undefined, changed: number, promising: number): WhyLine {
    const tag = held === undefined ? 'an invalidation of that entry' : `an invalidation of ASID ${held} that covers it`;
    const from = changed < 0 ? 'before' : `between step ${changed + 1} and`;
    return { head: 'Missing', text: `${tag}, completed by CMD_SYNC ${from} step ${promising + 1}.` };
  }

  /** The step that gave a promise: the failing one, or an earlier return of the operation that gave it. */
  #promisingStep(promise: string): number {
    const labels: Record<string, RegExp> = {
      'unmap.end': /^(unmap|munmap|exit|domain_free|dma_unmap|free_pgtables)/,
      'map.end': /^(map|mmap|split|dma_map)/,
      'flush.end': /^(fq_flush|dma_unmap)/,
    };
    const by = labels[promise];
    if (by === undefined) return this.#last;
    const found = this.#findBack(
      this.#last,
      (step) => by.test(step.operation) && /^(return|free_pgtables|fq_flush_finish)/.test(step.label),
    );
    return found < 0 ? this.#last : found;
  }

  #entryWrites(): number[] {
    const writes: number[] = [];
    for (let at = this.#last; at >= 0 && writes.length < 4; at--)
      if (/^(CD|STE)\(.*:=/.test(this.#steps[at]?.label ?? '')) writes.unshift(at);
    return writes;
  }

  #findBack(from: number, is: (step: ObservedStep) => boolean): number {
    for (let at = from; at >= 0; at--) if (is(this.#steps[at] as ObservedStep)) return at;
    return -1;
  }

  /** "step 15 (CPU0, return of unmap(domain0, 0x1000))" */
  #at(index: number): string {
    const step = this.#steps[index];
    if (step === undefined) return 'the initial state';
    const label = step.label === 'return' ? `return of ${step.operation}` : step.label;
    return `step ${index + 1} (${step.agentName}, ${label})`;
  }

  #short(index: number): string {
    const step = this.#steps[index];
    return step === undefined ? 'the start' : `step ${index + 1} (${step.label})`;
  }
}

/** What each promise says, after "step n". */
const PROMISES: Readonly<Record<string, string>> = {
  'unmap.end': 'promised that no device reaches the page through this address any more',
  'map.end': 'promised that the address leads to the new mapping and nowhere else',
  'flush.end': 'promised that nothing unmapped before the flush is reachable any more',
  'attach.end': 'relies on the promise that the device translates by what it is attached to, and by nothing else',
  'attach.begin': 'is part of a change that was to be seen as the old or the new configuration, never as a mix',
  'break-before-make': 'left two translations of one address that the SMMU may hold at once',
};
