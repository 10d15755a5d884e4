import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** First words of the file; the number is that of the format. */
const MAGIC = 'stalemate checkpoint 2';

/** A checkpoint that cannot be used: the message says why, for the reader. The file is as it was. */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
}

/** What a checkpoint holds: a header, which JSON can express, and parts that it could not express well. */
export interface Checkpoint {
  readonly header: Readonly<Record<string, unknown>>;
  readonly parts: readonly Uint8Array[];
}

/**
 * Writes a checkpoint so that the file is always whole: under another name first, to the disk, and then in place of the one
 * before. If that fails, the one before stays.
 *
 * @throws Error as the file system says (a full disk: code ENOSPC).
 */
export function writeCheckpoint(file: string, { header, parts }: Checkpoint): void {
  const head = Buffer.from(`${JSON.stringify({ header, parts: parts.map(({ byteLength }) => byteLength) })}\n`);
  const hash = createHash('sha256').update(head);
  for (const part of parts) hash.update(part);
  const first = Buffer.from(`${MAGIC} sha256 ${hash.digest('hex')}\n`);
  const own = `${file}.tmp`;
  const descriptor = openSync(own, 'w');
  try {
    try {
      for (const bytes of [first, head, ...parts]) writeAll(descriptor, bytes);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(own, file);
  } catch (error) {
    rmSync(own, { force: true });
    throw error;
  }
  syncFolder(dirname(file));
}

/**
 * Reads a checkpoint.
 *
 * @returns undefined if there is no such file.
 * @throws CheckpointError if it is not a whole checkpoint of this version.
 */
export function readCheckpoint(file: string): Checkpoint | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CheckpointError(`${file} cannot be read: ${message}`);
  }
  const end = bytes.indexOf(10);
  const first = bytes.subarray(0, Math.max(end, 0)).toString();
  if (!first.startsWith('stalemate checkpoint ')) throw new CheckpointError(`${file} is not a checkpoint of stalemate`);
  const [, digest] = /^stalemate checkpoint 2 sha256 ([0-9a-f]{64})$/.exec(first) ?? [];
  if (digest === undefined) throw new CheckpointError(`${file} is a checkpoint of another version of the format`);
  const rest = bytes.subarray(end + 1);
  if (createHash('sha256').update(rest).digest('hex') !== digest)
    throw new CheckpointError(`${file} is damaged or incomplete: its checksum is wrong`);
  const headEnd = rest.indexOf(10);
  const head = JSON.parse(rest.subarray(0, headEnd).toString()) as {
    readonly header: Checkpoint['header'];
    readonly parts: readonly number[];
  };
  let at = headEnd + 1;
  // Copies, since words must stand at multiples of their size.
  const parts = head.parts.map((length) => Uint8Array.from(rest.subarray(at, (at += length))));
  return { header: head.header, parts };
}

/** 32-bit words as bytes, and back. Checkpoints are for the machine that wrote them: its order of bytes. */
export function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** See `bytesOf`. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength;) at += writeSync(descriptor, bytes, at, bytes.byteLength - at);
}

/** So that the new name survives a power failure too, where folders can be synced. */
function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Some file systems cannot.
  }
}
