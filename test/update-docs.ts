/** Puts today's reports into the documents: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { documents, read, withReports } from './documents.ts';

for (const name of documents()) {
  const before = read(name);
  const after = withReports(before);
  if (after !== before) writeFileSync(name, after);
}
