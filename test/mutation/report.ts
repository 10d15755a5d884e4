/** What `npm run mutation` prints at the end: the score of each folder, and what survived, with the reason. */
import { existsSync, readFileSync } from 'node:fs';
import { reasonFor, type Mutant } from './survivors.ts';

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Result[] }>>;
}

interface Result {
  readonly status: string;
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly location: { readonly start: { readonly line: number } };
}

const FILES = ['coverage/mutation-kernel.json', 'coverage/mutation-model.json'];
const missing = FILES.filter((file) => !existsSync(file));
if (missing.length === FILES.length) {
  process.stderr.write(`${missing.join(' and ')} are missing: npm run mutation makes them\n`);
  process.exit(2);
}

const folders = new Map<string, { killed: number; survived: Mutant[] }>();
for (const path of FILES.filter((file) => existsSync(file))) {
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as Report;
  for (const [file, { source, mutants }] of Object.entries(files)) {
    const name = file.split('/').slice(0, -1).join('/');
    const folder = folders.get(name) ?? { killed: 0, survived: [] };
    folders.set(name, folder);
    const lines = source.split('\n');
    for (const { status, mutatorName, replacement = '', location } of mutants) {
      if (status === 'Killed' || status === 'Timeout') folder.killed++;
      if (status !== 'Survived' && status !== 'NoCoverage') continue;
      const { line } = location.start;
      folder.survived.push({ file, line, code: (lines[line - 1] ?? '').trim(), change: replacement || mutatorName });
    }
  }
}

let unexplained = 0;
for (const [folder, { killed, survived }] of [...folders].sort()) {
  const total = killed + survived.length;
  if (total === 0) continue;
  process.stdout.write(`${folder}: ${killed} of ${total} killed (${((100 * killed) / total).toFixed(1)} %)\n`);
  const reasons = new Map<string, Mutant[]>();
  for (const mutant of survived) {
    const reason = reasonFor(mutant) ?? '';
    reasons.set(reason, [...(reasons.get(reason) ?? []), mutant]);
  }
  for (const [reason, of] of [...reasons].sort((a, b) => b[1].length - a[1].length)) {
    process.stdout.write(`  ${String(of.length).padStart(3)}  ${reason === '' ? 'no reason given:' : reason}\n`);
    if (reason !== '') continue;
    unexplained += of.length;
    for (const { file, line, code, change } of of)
      process.stdout.write(`       ${file}:${line}  ${code}  →  ${change}\n`);
  }
}
if (unexplained > 0) process.exitCode = 1;
