import type { Configuration } from '../family.ts';
import { someRaces, type Bench, type Candidate } from './bench.ts';
import { breathe } from './budget.ts';
import { countOperations, keep, operationsOf, replaceOperations, type Derived } from './program.ts';
import type { Token } from './projection.ts';
import { otherSettings } from './settings.ts';

/**
 * Makes a failure smaller by runs alone, step by step: a plainer world, fewer operations, simpler arguments, fewer
 * switches. Each step keeps what is left of the failing schedule, so it stays at the same failure, and loses what has
 * nothing to do with it: races that the bug does not need go too. What comes out is what `exhaust` starts from.
 */
export async function shrink(bench: Bench, from: Candidate): Promise<Candidate> {
  let best = settle(bench, from);
  for (let progress = true; progress && !bench.budget.expired();) {
    progress = false;
    for (const [configuration, derived] of smaller(bench, best)) {
      await breathe();
      if (bench.budget.expired()) break;
      const candidate =
        bench.projected(best, configuration, derived) ?? bench.tried(best, configuration, derived.program);
      if (candidate === undefined) continue;
      best = settle(bench, candidate);
      progress = true;
      break;
    }
  }
  return best;
}

/** The same program in a plainer world; then the programs with one operation less, or with one that is simpler. */
function* smaller(bench: Bench, { configuration, program }: Candidate): Generator<[Configuration, Derived]> {
  const total = countOperations(program);
  const all = Array.from({ length: total }, () => true);
  for (const plain of bench.family.plainer?.(configuration) ?? []) yield [plain, keep(program, all)];
  // A program without operations is no program, even if the world is wrong from the start.
  const least = total > 1 ? 0 : total;
  for (let without = total - 1; without >= least; without--)
    yield [configuration, keep(program, all.with(without, false))];
  const operations = operationsOf(program);
  for (const [at, operation] of operations.entries())
    for (const simpler of bench.family.simplify(operation))
      yield [configuration, replaceOperations(program, operations.with(at, simpler))];
}

/** Bound of the search of a program in another world: these are many. */
const OTHER_STATES = 20_000;

/** The program with one operation less, in a world where what that did is there from the start. */
export async function otherWorld(bench: Bench, best: Candidate): Promise<Candidate | undefined> {
  const total = countOperations(best.program);
  const all = Array.from({ length: total }, () => true);
  if (total < 2) return undefined;
  for (const configuration of otherSettings(bench.family, best.configuration))
    for (let without = 0; without < total; without++) {
      const derived = keep(best.program, all.with(without, false));
      const verdict = await bench.exhaust(best, configuration, derived, OTHER_STATES);
      if (typeof verdict !== 'string') return verdict;
      if (bench.budget.expired()) return undefined;
    }
  return undefined;
}

/** A run of steps of one operation. */
type Block = readonly Token[];

/** The same program with fewer switches, where moving one block of the schedule next to another leaves the failure. */
export function settle(bench: Bench, from: Candidate): Candidate {
  let best = from;
  for (let progress = true; progress && best.switches > 0 && !bench.budget.expired();) {
    progress = false;
    for (const tokens of joined(blocksOf(best.tokens))) {
      const candidate = bench.follow(best.configuration, best.program, tokens);
      if (candidate === undefined || candidate.switches >= best.switches || !someRaces(candidate, best)) continue;
      best = candidate;
      progress = true;
      break;
    }
  }
  return best;
}

function blocksOf(tokens: readonly Token[]): Block[] {
  const blocks: Token[][] = [];
  for (const token of tokens) {
    const last = blocks.at(-1)?.at(-1);
    if (last?.agent === token.agent && last.operation === token.operation) blocks.at(-1)?.push(token);
    else blocks.push([token]);
  }
  return blocks;
}

/** The schedules in which a block comes right after the block of its agent before it, or the other way round. */
function* joined(blocks: readonly Block[]): Generator<Token[]> {
  for (let at = blocks.length - 1; at > 0; at--) {
    const agent = blocks[at]?.[0]?.agent;
    const before = blocks.findLastIndex((block, index) => index < at && block[0]?.agent === agent);
    if (before < 0 || before === at - 1) continue;
    const [earlier, later] = [blocks[before] as Block, blocks[at] as Block];
    const without = blocks.filter((block) => block !== earlier && block !== later);
    // Without the two, what stood between them begins at `before` and ends before `at - 1`.
    yield [...without.slice(0, before), earlier, later, ...without.slice(before)].flat();
    yield [...without.slice(0, at - 1), earlier, later, ...without.slice(at - 1)].flat();
  }
}
