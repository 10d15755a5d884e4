import { PTE, spaceName, type AllocatorState } from './state.ts';

/** What a world's hardware and software do, as far as the invariants need it. */
export interface TlbRules {
  /** CPUs may use each other's TLB entries. */
  readonly shared: boolean;
  /** Spaces end and others take their names, so that a TLB may hold entries of one that is gone. */
  readonly replaced: boolean;
}

/**
 * The invariants of kernel-tla/asidalloc.tla, reported by their rule: `tag-zero` (its type invariant), `shared-tag`
 * (UniqueASIDPerCPU; with shared TLBs UniqueASIDAllCPUs), `split-tag` (SameASIDActiveTask), `tag-run-twice`
 * (UniqueASIDActiveTask) and `stale-translation` (TLBEmptyInvalPTE).
 *
 * TLBEmptyInvalPTE says of a running space that no TLB at all holds what was unmapped. That is too much once names are
 * used again: a CPU that has to flush before it runs anything else may hold entries which nobody can hit. Then only the
 * TLBs are looked at that the running CPU can hit.
 */
export function checkTlbs(state: AllocatorState, rules: TlbRules): void {
  for (let at = 0; at < state.tlb.length; at++)
    if ((state.tlb.get(at) & 1) !== 0) broken(state, 'tag-zero', 'A TLB entry has tag 0, which is never given out.');
  for (let cpu = 0; cpu < state.cpus; cpu++) {
    checkEntries(state, cpu, rules);
    checkRunning(state, cpu, rules);
  }
}

/** No two spaces have entries with one tag. */
function checkEntries(state: AllocatorState, cpu: number, { shared, replaced }: TlbRules): void {
  for (let space = 0; space < state.spaces; space++) {
    const numbers = state.tlb.get(state.tlbAt(cpu, space));
    if (numbers === 0) continue;
    for (let other = shared ? 0 : cpu; other <= cpu; other++)
      for (let rival = 0; rival < state.spaces; rival++) {
        const theirs = state.tlb.get(state.tlbAt(other, rival));
        if (rival !== space && (numbers & theirs) !== 0)
          broken(state, 'shared-tag', `A tag stands for ${spaceName(space)} and ${spaceName(rival)} in one TLB.`);
        if (shared && !replaced && rival === space && ((numbers | theirs) & ((numbers | theirs) - 1)) !== 0)
          broken(state, 'space-under-two-tags', `The TLB holds ${spaceName(space)} under two tags.`);
      }
  }
}

/** What runs has one tag of its own, and nothing is cached of what was unmapped. */
function checkRunning(state: AllocatorState, cpu: number, { shared, replaced }: TlbRules): void {
  const running = state.running.get(cpu);
  if (running === 0) return;
  const number = state.runningNumber.get(cpu);
  for (let other = 0; other < cpu; other++) {
    const theirs = state.running.get(other);
    if (theirs === running && state.switching.get(cpu) === 0 && state.switching.get(other) === 0) {
      if (state.runningNumber.get(other) !== number)
        broken(state, 'split-tag', `${spaceName(running - 1)} runs on two CPUs under different tags.`);
    } else if (shared && theirs !== 0 && theirs !== running && state.runningNumber.get(other) === number)
      broken(state, 'tag-run-twice', `${spaceName(running - 1)} and ${spaceName(theirs - 1)} run under one tag.`);
  }
  if (state.pte.get(running - 1) !== PTE.invalidated) return;
  const wanted = replaced ? number : state.format.number(state.context.get(running - 1));
  for (let holder = 0; holder < state.cpus; holder++)
    if ((holder === cpu || shared || !replaced) && holds(state, holder, running - 1, wanted))
      broken(state, 'stale-translation', `A TLB holds the page that ${spaceName(running - 1)} has unmapped.`);
}

function holds(state: AllocatorState, cpu: number, space: number, number: number): boolean {
  return (state.tlb.get(state.tlbAt(cpu, space)) & (1 << number)) !== 0;
}

function broken(state: AllocatorState, rule: string, message: string): void {
  state.machine.fail({ monitor: 'tags', rule, message });
}
