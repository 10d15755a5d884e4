/** Makes `dist/stalemate.js`, the bundle that the published package runs. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundleOptions, root } from './load.js';

await build({
  ...bundleOptions,
  logLevel: 'info',
  entryPoints: [join(root, 'cli', 'main.ts')],
  outfile: join(root, 'dist', 'stalemate.js'),
  packages: 'external',
});
