/**
 * Makes `traces/corpus/`: one minimised trace for each hazard, found unguided; and `known-bugs/`, by which a failure is
 * recognised as one of them. Run it after a change that makes the old traces not fit any more (`npm run corpus`), and look
 * at what has changed. With an argument, only for the hazards whose name ("FAMILY/ID") contains it.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { bugName, type Bug } from '../engine/bug/bug.ts';
import { fuzz, type Found } from '../properties/campaign.ts';
import { families } from '../properties/index.ts';
import type { Family, Hazard } from '../properties/family.ts';
import { minimise, type Minimised } from '../properties/minimise/minimise.ts';
import { countOperations } from '../properties/minimise/program.ts';
import { knownBugs } from './known-bugs/index.ts';
import { toTrace } from './record.ts';
import { saveTrace } from './save.ts';

const folder = 'traces/corpus';
const knownFolder = 'traces/known-bugs';
const secondsEach = 60;
/** Seeds whose failures are made known, the best of which is kept; up to `seedsMax` until one is good. */
const seedsKnown = 3;
const seedsMax = 14;
const [, , only = ''] = process.argv;

/** Names of the bugs of a family, and the hazards that show as them. */
type Known = Map<string, Set<string>>;

/** Everything is found again, unless only some hazards are asked for. */
function knownOf(family: Family): Known {
  const before = only === '' ? {} : (knownBugs[family.name] ?? {});
  return new Map(Object.entries(before).map(([name, hazards]) => [name, new Set(hazards)]));
}

/** What a hazard was found to do, by seed; made small. */
async function find(family: Family, hazard: Hazard): Promise<Minimised[]> {
  const all: Minimised[] = [];
  for (let seed = 1; seed <= seedsMax && (seed <= seedsKnown || !all.some(isGood(hazard))); seed++) {
    const found: Found[] = [];
    const onFound = (one: Found): 'stop' => (found.push(one), 'stop');
    await fuzz(family, { hazard: hazard.id, seed, seconds: secondsEach, onFound });
    for (const one of found) all.push(await minimise(family, one, { seconds: secondsEach }));
  }
  return all;
}

/** Whether a failure is of the kind that the hazard usually shows as. */
function isUsual({ expected: [usual] }: Hazard): (found: Found) => boolean {
  return ({ failure: { monitor, rule } }) => monitor === usual?.monitor && rule === usual.rule;
}

/** Whether it is of the usual kind, and proved to be minimal. */
function isGood(hazard: Hazard): (minimised: Minimised) => boolean {
  return (minimised) => isUsual(hazard)(minimised) && isProved(minimised);
}

function isProved({ minimal }: Minimised): boolean {
  return !minimal.note.startsWith('not');
}

/** Proved, of the usual kind, small: what comes first is the better trace. */
function compare(hazard: Hazard): (a: Minimised, b: Minimised) => number {
  const isOne = isUsual(hazard);
  const rank = (one: Minimised): number[] => [
    isProved(one) ? 0 : 1,
    isOne(one) ? 0 : 1,
    countOperations(one.program),
    one.minimal.switches,
    one.schedule.length,
  ];
  return (a, b) => {
    const [left, right] = [rank(a), rank(b)];
    const at = left.findIndex((value, index) => value !== right[index]);
    return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
  };
}

function makeKnown(known: Known, hazard: string, bug: Bug): void {
  known.set(bugName(bug), (known.get(bugName(bug)) ?? new Set()).add(hazard));
}

async function write(file: string, text: string): Promise<void> {
  writeFileSync(file, await format(text, { parser: 'typescript', singleQuote: true, printWidth: 120 }));
}

/** After each hazard, so that a run that is cut short leaves what it has. */
async function writeKnown({ name }: Family, known: Known): Promise<void> {
  const entries = [...known].filter(([, hazards]) => hazards.size > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  const list = entries.map(([bug, hazards]) => `'${bug}': ${JSON.stringify([...hazards].sort())},`).join('\n');
  await write(
    `${knownFolder}/${name}.ts`,
    `/** Written by \`npm run corpus\`: names of bugs (see \`engine/bug/bug.ts\`), and the hazards that show as them. */
export const bugs: Readonly<Record<string, readonly string[]>> = {\n${list}\n};\n`,
  );
  const names = families.map((family) => family.name).filter((family) => existsSync(`${knownFolder}/${family}.ts`));
  await write(
    `${knownFolder}/index.ts`,
    `${names.map((family) => `import { bugs as ${family} } from './${family}.ts';`).join('\n')}

/** Written by \`npm run corpus\`: the bugs that are known, by family. */
export const knownBugs: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = { ${names.join(', ')} };\n`,
  );
}

mkdirSync(folder, { recursive: true });
for (const family of families) {
  const known = knownOf(family);
  for (const hazard of family.hazards.filter(({ id }) => `${family.name}/${id}`.includes(only))) {
    for (const hazards of known.values()) hazards.delete(hazard.id);
    const all = await find(family, hazard);
    const [minimised] = all.toSorted(compare(hazard));
    if (minimised === undefined) {
      console.error(`${hazard.id}: not found`);
      process.exitCode = 1;
      continue;
    }
    const { file } = saveTrace(toTrace(family, minimised), folder, `${family.name}-${hazard.id}.json`);
    for (const { bug } of all) makeKnown(known, hazard.id, bug);
    await writeKnown(family, known);
    const { switches, note } = minimised.minimal;
    const size = `${minimised.schedule.length} steps, ${switches} switches`;
    console.log(`${file}: ${minimised.failure.rule}, ${size}, ${note}`);
  }
}
