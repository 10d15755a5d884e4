#!/usr/bin/env node
/**
 * The `stalemate` command. In a clone it runs the sources as they are; the published package has no sources and brings
 * the bundles `dist/stalemate.js` and `dist/thread.js`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle, load, root } from './load.js';

try {
  const isClone = existsSync(join(root, 'cli', 'main.ts'));
  const { main } = isClone ? await load('cli/main.ts') : await import('../dist/stalemate.js');
  const threads = isClone
    ? pathToFileURL(await bundle(join(root, 'cli', 'thread.ts')))
    : new URL('../dist/thread.js', import.meta.url);
  await main(process.argv.slice(2), threads);
} catch (error) {
  process.stderr.write(`stalemate: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 3;
}
