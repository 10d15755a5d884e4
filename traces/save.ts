import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Trace } from './format.ts';
import { reason } from './load.ts';
import { serialise } from './serialise.ts';

/** Where a trace went. */
export interface Saved {
  /** Undefined only if no folder at all could be written: the caller must then print the trace. */
  readonly file: string | undefined;
  /** Set if it is not where it should be: why, and where it is instead. */
  readonly warning?: string;
}

/**
 * Saves a trace so that it is never half there (written under another name, then renamed) and never lost: if the folder
 * cannot be written, it goes to the system's folder for temporary files, and `warning` says so.
 *
 * @param name file name; default `traceName(trace)`.
 */
export function saveTrace(trace: Trace, folder: string, name: string = traceName(trace)): Saved {
  const text = serialise(trace);
  const first = write(folder, name, text);
  if (first === undefined) return { file: shown(join(folder, name)) };
  const instead = join(tmpdir(), 'stalemate-found');
  const second = write(instead, name, text);
  if (second === undefined) {
    const file = join(instead, name);
    return { file, warning: `${folder} cannot be written (${first}): the trace is in ${file} instead.` };
  }
  return {
    file: undefined,
    warning: `neither ${folder} (${first}) nor ${instead} (${second}) can be written: the trace follows here.`,
  };
}

/** A name that says what the trace shows, and is the same for the same finding: "asid-share-asid-unmap-window-3f9c2e.json". */
export function traceName(trace: Trace): string {
  const what = trace.hazard ?? trace.expected.rule;
  const { family, expected, provenance, program } = trace;
  // The program is part of it: one seed can find several failures with one fingerprint.
  const identity = JSON.stringify([family, expected.fingerprint, { ...provenance, tool: '' }, program]);
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 6);
  return `${trace.family}-${what}-${hash}.json`.replace(/[^a-z0-9.-]+/gi, '-');
}

/** Returns why it did not work, or undefined. */
function write(folder: string, name: string, text: string): string | undefined {
  const partial = join(folder, `.${name}.${process.pid}`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(partial, text, { flush: true });
    renameSync(partial, join(folder, name));
    return undefined;
  } catch (error) {
    discard(partial);
    // What Node says of a folder that cannot be made because the file system is read-only.
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return missing ? 'it cannot be created; is the file system read-only?' : reason(error);
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The folder is not there or not ours; then neither is the file.
  }
}

function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
