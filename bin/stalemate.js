#!/usr/bin/env node
/**
 * The `stalemate` command. In a clone it runs the sources as they are; the published package has no sources and brings
 * the bundle `dist/stalemate.js`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { load, root } from './load.js';

try {
  const { main } = existsSync(join(root, 'cli', 'main.ts'))
    ? await load('cli/main.ts')
    : await import('../dist/stalemate.js');
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`stalemate: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 3;
}
