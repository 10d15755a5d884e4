/** Puts today's reports, and what commands print today, into the documents: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { documents, read, withOutputs, withReports } from './documents.ts';

for (const name of documents()) {
  const before = read(name);
  const after = withOutputs(withReports(before));
  if (after !== before) writeFileSync(name, after);
}
