/** The house rules that no linter knows: which part may import which, and no TODO without a reason. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** One thing that is not as it should be. */
export interface Untidy {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

/** The parts in the order of their imports: each may import what stands before it. */
const parts = ['engine', 'model', 'impl', 'properties', 'traces', 'cli', 'bench'];

/** What a part may use of another one, where that is less than all of it. */
const windows: readonly { from: string; to: string; except?: RegExp; allowed: RegExp; words: string }[] = [
  {
    from: 'model',
    // Allocators are algorithms, not states of hardware: they run on the engine (docs/decisions/0008).
    except: /^model\/allocators\//,
    to: 'engine',
    allowed: /^engine\/store\.ts$/,
    words: 'only engine/store.ts',
  },
  {
    from: 'impl',
    to: 'model',
    allowed: /^model\/(architecture\/[^/]+\/layout\/.+|contract\/events\.ts)$/,
    words: 'only layouts and model/contract/events.ts',
  },
];

/** TypeScript files of the project, relative to its folder. */
export function sources(root: string): string[] {
  return parts.concat('test').flatMap((part) =>
    readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => posix.join(part, name.replaceAll('\\', '/'))),
  );
}

/** Checks one file. @param file name relative to the project's folder, with slashes. */
export function untidy(file: string, text: string): Untidy[] {
  const problems: Untidy[] = [];
  const lines = text.split('\n');
  for (const [at, line] of lines.entries()) {
    const report = (what: string): number => problems.push({ file, line: at + 1, what });
    const imported = /\bfrom '(\.[^']*)'|\bimport\('(\.[^']*)'\)|^import '(\.[^']*)'/.exec(line);
    const specifier = imported?.[1] ?? imported?.[2] ?? imported?.[3];
    if (specifier !== undefined) {
      const wrong = importProblem(file, posix.join(posix.dirname(file), specifier));
      if (wrong !== undefined) report(wrong);
    }
    // Only at the start of a comment: hazards cite the kernel's own notes.
    if (/(\/\/|\*)\s*(TODO|FIXME|XXX)\b(?!:\s*\S+ \S+ \S+)/.test(line))
      report('a TODO must say why it is not done: "TODO: reason in words"');
  }
  return problems;
}

/** Checks all files. */
export function untidyProject(root: string): Untidy[] {
  return sources(root)
    .filter((file) => !file.startsWith('test/tidy'))
    .flatMap((file) => untidy(file, readFileSync(join(root, file), 'utf8')));
}

function importProblem(file: string, imported: string): string | undefined {
  const from = posix.normalize(file).split('/')[0] ?? '';
  const to = imported.split('/')[0] ?? '';
  if (!parts.includes(from) || from === to) return undefined;
  if (!parts.includes(to)) return `${from} may not import ${imported}`;
  // Tests use the workloads of the benchmarks, so that what is measured is also what is checked.
  if (to === 'bench' && file.endsWith('.test.ts')) return undefined;
  if (parts.indexOf(to) > parts.indexOf(from))
    return `${from} may not import ${to} (${imported}): imports point the other way`;
  // A test may look at more of a lower part than the code that it tests.
  if (/\.test\.ts$|\/testing(\/|\.ts$)/.test(file)) return undefined;
  const window = windows.find(
    (candidate) => candidate.from === from && candidate.to === to && candidate.except?.test(file) !== true,
  );
  return window === undefined || window.allowed.test(imported)
    ? undefined
    : `${from} may use ${window.words} of ${to}, not ${imported}`;
}
