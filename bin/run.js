#!/usr/bin/env node
/** Runs a TypeScript file of the project as a script: `node bin/run.js bench/main.ts [arguments]`. */
import { load } from './load.js';

const [, , entry] = process.argv;
if (entry === undefined) {
  process.stderr.write('usage: node bin/run.js FILE.ts [arguments]\n');
  process.exitCode = 2;
} else {
  process.argv.splice(1, 2, entry);
  await load(entry);
}
