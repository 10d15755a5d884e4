import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bytesOf, readCheckpoint, wordsOf, writeCheckpoint } from './checkpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const words = Int32Array.of(1, -2, 0x7fff_ffff, -0x8000_0000);
const sample = {
  header: { kind: 'test', text: 'ä\n"x"' },
  parts: [Uint8Array.of(7, 10, 255), bytesOf(words), new Uint8Array(0)],
};

describe('a checkpoint', () => {
  test('comes back as it was written, and replaces the one before', () => {
    const file = join(folder, 'whole');
    writeCheckpoint(file, { header: { kind: 'old' }, parts: [] });
    writeCheckpoint(file, sample);
    const read = readCheckpoint(file);
    expect(read?.header).toEqual(sample.header);
    expect(read?.parts.map((part) => [...part])).toEqual(sample.parts.map((part) => [...part]));
    expect([...wordsOf(read?.parts[1] ?? new Uint8Array(0))]).toEqual([...words]);
    expect(readdirSync(folder)).toEqual(['whole']);
  });

  test('that is not there is no error', () => {
    expect(readCheckpoint(join(folder, 'none'))).toBeUndefined();
  });

  test('is refused if any byte is missing or another one, and stays as it is', () => {
    const file = join(folder, 'damaged');
    writeCheckpoint(file, sample);
    const bytes = readFileSync(file);
    for (let length = 0; length < bytes.length; length++) {
      truncateSync(file, length);
      expect(() => readCheckpoint(file), `${length} bytes`).toThrow(/not a checkpoint|another version|damaged/);
      writeFileSync(file, bytes);
      const changed = Buffer.from(bytes);
      changed[length] = (changed[length] as number) ^ 1;
      writeFileSync(file, changed);
      expect(() => readCheckpoint(file), `byte ${length}`).toThrow(/not a checkpoint|another version|damaged/);
      expect(readFileSync(file)).toEqual(changed);
      writeFileSync(file, bytes);
    }
    expect(readCheckpoint(file)?.header).toEqual(sample.header);
  });

  test('that cannot be written leaves the one before, and nothing else', () => {
    const file = join(folder, 'kept');
    writeCheckpoint(file, sample);
    const before = readFileSync(file);
    const parts = {
      get length(): number {
        throw new Error('no space left on device');
      },
    };
    expect(() => writeCheckpoint(file, { header: {}, parts: [parts as unknown as Uint8Array] })).toThrow();
    expect(() => writeCheckpoint(join(folder, 'no', 'folder'), sample)).toThrow('ENOENT');
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});
