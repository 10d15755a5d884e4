/**
 * Runs TypeScript of this repository without a build step: bundles an entry point with esbuild and imports the result.
 *
 * The bundle is kept under node_modules/.cache, under a name made from the names, sizes and times of all sources, so that
 * an unchanged tree starts at once. A loader that transforms file by file would be simpler, but the usual one keeps
 * function names, which makes the closures of the inner loop a third slower.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Folder of the package. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const sourceFolders = ['engine', 'model', 'impl', 'properties', 'traces', 'cli', 'bench'];
const bundlesKept = 8;
/** A run may last for days, and its threads load the bundle again as they start: younger ones are left alone. */
const bundleDaysMin = 7;

/** What every bundle of the project is made with; `packages: 'external'` leaves dependencies to Node. */
export const bundleOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  keepNames: false,
  sourcemap: 'linked',
  logLevel: 'silent',
};

/** Imports a TypeScript file of the project, for example `cli/main.ts`. */
export async function load(entry) {
  const file = await bundle(resolve(root, entry));
  return import(pathToFileURL(file).href);
}

/** The up-to-date bundle of an entry point. */
export async function bundle(entry) {
  const name = `${relative(root, entry).replace(/[^a-z0-9]+/gi, '-')}-${sourceHash(entry)}.mjs`;
  const places = [
    { folder: join(root, 'node_modules', '.cache', 'stalemate'), packages: 'external' },
    // Packages are not found from here, so they have to be part of the bundle.
    { folder: join(tmpdir(), `stalemate-${process.getuid?.() ?? 'user'}`), packages: 'bundle' },
  ];
  for (const { folder, packages } of places) {
    const file = join(folder, name);
    if (existsSync(file)) return file;
    if (!isWritable(folder)) continue;
    await build(entry, file, packages);
    forgetOldBundles(folder);
    return file;
  }
  throw new Error(`no folder to keep a bundle in: ${places.map(({ folder }) => folder).join(', ')} cannot be written`);
}

async function build(entry, file, packages) {
  let esbuild;
  try {
    esbuild = await import('esbuild');
  } catch {
    throw new Error('running from source needs the development dependencies: run "npm ci" first');
  }
  // Several processes may start at once: each writes under a name of its own and then renames.
  const own = `${file}.${process.pid}`;
  const banner =
    'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);';
  const { outputFiles } = await esbuild.build({
    ...bundleOptions,
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: file,
    packages,
    write: false,
    ...(packages === 'bundle' ? { banner: { js: banner } } : {}),
  });
  for (const { path, contents } of outputFiles.toReversed()) {
    writeFileSync(path === file ? own : path, contents);
    if (path === file) renameSync(own, file);
  }
}

function sourceHash(entry) {
  const hash = createHash('sha256').update(entry);
  addFile(hash, entry);
  hash.update((sources ??= hashOfSources()));
  hash.update(createRequire(import.meta.url).resolve.paths('esbuild')?.[0] ?? '');
  return hash.digest('hex').slice(0, 16);
}

/** What all bundles are made from, looked at once: all that this process loads is of one state of the sources. */
let sources;

function hashOfSources() {
  const hash = createHash('sha256');
  for (const folder of sourceFolders) addFolder(hash, join(root, folder));
  for (const file of ['package.json', 'bin/load.js']) addFile(hash, join(root, file));
  return hash.digest('hex');
}

function addFolder(hash, folder) {
  if (!existsSync(folder)) return;
  const entries = readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) addFolder(hash, path);
    else if (/\.(ts|tsx|css|json)$/.test(entry.name) && !entry.name.endsWith('.test.ts') && !path.includes('/found/'))
      addFile(hash, path);
  }
}

function addFile(hash, path) {
  const { size, mtimeMs } = statSync(path);
  hash.update(`${path} ${size} ${mtimeMs}\n`);
}

function isWritable(folder) {
  const probe = join(folder, `.probe-${process.pid}`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
    return true;
  } catch {
    return false;
  }
}

function forgetOldBundles(folder) {
  const bundles = readdirSync(folder)
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => ({ path: join(folder, name), written: statSync(join(folder, name)).mtimeMs }))
    .toSorted((a, b) => b.written - a.written);
  for (const { path, written } of bundles.slice(bundlesKept)) {
    if (Date.now() - written < bundleDaysMin * 86_400_000) continue;
    rmSync(path, { force: true });
    rmSync(`${path}.map`, { force: true });
  }
}
