/** Makes the bundles that the published package runs: `dist/stalemate.js`, and `dist/thread.js` for its threads. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundleOptions, root } from './load.js';

await build({
  ...bundleOptions,
  logLevel: 'info',
  entryPoints: {
    stalemate: join(root, 'cli', 'main.ts'),
    thread: join(root, 'cli', 'thread.ts'),
  },
  outdir: join(root, 'dist'),
  packages: 'external',
});
