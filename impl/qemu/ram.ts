/**
 * The guest's RAM as a file that QEMU maps and we read and write: tables, queues, event records and results of DMA
 * then cost a system call of half a microsecond instead of a protocol round trip.
 *
 * The file is sparse: a machine of several GiB costs only the pages that a program touches.
 */
import { accessSync, closeSync, constants, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { randomBytes } from 'node:crypto';
import { holdPath, releasePath } from './children.ts';

const sharedMemoryFolder = (): string => {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
};

/** A file of guest memory; addresses are guest physical. */
export class GuestRam {
  /** First physical address. */
  readonly base: number;
  /** Size in bytes. */
  readonly size: number;
  /** The file QEMU is to map; gone after `unlink`. */
  readonly path: string;
  readonly #fd: number;
  readonly #word = new Int32Array(2);
  readonly #zeros = new Uint8Array(4096);

  /**
   * @param base physical address of the first byte.
   * @param size in bytes, a multiple of 4096.
   */
  constructor(base: number, size: number) {
    this.base = base;
    this.size = size;
    this.path = `${sharedMemoryFolder()}/stalemate-${process.pid}-${randomBytes(6).toString('hex')}.ram`;
    this.#fd = openSync(this.path, 'wx+', 0o600);
    holdPath(this.path);
    ftruncateSync(this.#fd, size);
  }

  /** Removes the name; the memory lives on until both sides have closed it. */
  unlink(): void {
    releasePath(this.path);
  }

  /** Closes our side. */
  close(): void {
    this.unlink();
    closeSync(this.#fd);
  }

  /** Whether `pa` is in this memory. */
  present(pa: number): boolean {
    return pa >= this.base && pa < this.base + this.size;
  }

  /** Reads 64 bits (address a multiple of 8) as two signed 32-bit lanes, valid until the next call. */
  readWord(pa: number): Int32Array {
    readSync(this.#fd, this.#word, 0, 8, pa - this.base);
    return this.#word;
  }

  /** Reads 32 bits. */
  read32(pa: number): number {
    readSync(this.#fd, this.#word, 0, 4, pa - this.base);
    return this.#word[0] as number;
  }

  /** Writes 64 bits, given as two lanes. */
  writeWord(pa: number, low: number, high: number): void {
    this.#word[0] = low;
    this.#word[1] = high;
    writeSync(this.#fd, this.#word, 0, 8, pa - this.base);
  }

  /** Writes 32 bits. */
  write32(pa: number, value: number): void {
    this.#word[0] = value;
    writeSync(this.#fd, this.#word, 0, 4, pa - this.base);
  }

  /** Reads into `target`, filling it. */
  read(pa: number, target: NodeJS.ArrayBufferView): void {
    readSync(this.#fd, target, 0, target.byteLength, pa - this.base);
  }

  /** Writes all of `source`. */
  write(pa: number, source: NodeJS.ArrayBufferView): void {
    writeSync(this.#fd, source, 0, source.byteLength, pa - this.base);
  }

  /** Writes zeros over `length` bytes. */
  clear(pa: number, length: number): void {
    for (let at = 0; at < length; at += this.#zeros.length)
      writeSync(this.#fd, this.#zeros, 0, Math.min(this.#zeros.length, length - at), pa + at - this.base);
  }
}
