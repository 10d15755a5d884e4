/** Writes `traces/trace.schema.json`: `npm run schema`. */
import { writeFileSync } from 'node:fs';
import { jsonSchema } from './format.ts';

writeFileSync('traces/trace.schema.json', `${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
