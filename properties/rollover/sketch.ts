import type { RolloverConfiguration, RolloverOperation } from './configuration.ts';

/** Most devices that use one process. */
const PINS_MAX = 2;
const NOBODY = -1;

/** What a program that is being drawn has done so far, as if its operations ran one after the other. */
export class Sketch {
  /** Most processes that can be pinned. */
  readonly pinsMax: number;
  readonly #mms: readonly number[];
  readonly #running: number[];
  readonly #pins: number[];
  readonly #exists: boolean[];
  readonly #ended: boolean[];
  #forked = false;
  #last = NOBODY;

  constructor({ cpus, asids, mms }: RolloverConfiguration) {
    this.pinsMax = Math.max(0, asids + 1 - cpus - 2);
    this.#mms = Array.from({ length: mms }, (_, mm) => mm);
    this.#running = Array.from({ length: cpus }, () => NOBODY);
    this.#pins = this.#mms.map(() => 0);
    this.#exists = this.#mms.map(() => false);
    this.#ended = this.#mms.map(() => false);
  }

  /** Whether there is something that a kind of operation may do on a CPU. */
  applies(cpu: number, op: RolloverOperation['op']): boolean {
    switch (op) {
      case 'idle':
      case 'lazy':
        return this.#running[cpu] !== NOBODY;
      case 'exit':
        return this.#isAlone(cpu);
      default:
        return this.#mms.some((mm) => this.fits(cpu, op, mm));
    }
  }

  /** Whether an operation on a CPU applies to a process. */
  fits(cpu: number, op: RolloverOperation['op'], mm: number): boolean {
    switch (op) {
      case 'switch':
        return this.#running[cpu] !== mm && this.#ended[mm] === false;
      case 'pin':
        return (this.#pins[mm] ?? 0) < PINS_MAX && this.#ended[mm] === false;
      case 'unpin':
        return this.#pins[mm] !== 0;
      case 'fork':
        // A child of a process that no device uses is like any other process, unless it takes the place of one. Of others
        // one is enough.
        return this.#isFree(mm) && (this.#ended[mm] === true || (!this.#forked && this.#isPinned(cpu)));
      case 'exec':
        return this.#isFree(mm) && this.#isAlone(cpu);
      default:
        return this.#ended[mm] === false;
    }
  }

  /** The process after the one that was switched to last, and not the one that the CPU runs. */
  turn(cpu: number, except: number): number {
    const count = this.#mms.length;
    const later = this.#mms.map((mm) => (this.#last + 1 + mm) % count);
    return later.find((mm) => mm !== except && this.fits(cpu, 'switch', mm)) ?? 0;
  }

  /** The operation is part of the program. */
  add(cpu: number, operation: RolloverOperation): void {
    const { op } = operation;
    const before = this.#running[cpu] ?? NOBODY;
    if (op === 'exec' || op === 'exit') this.#ended[before] = true;
    if (op === 'idle' || op === 'lazy' || op === 'exit') this.#running[cpu] = NOBODY;
    if (!('mm' in operation)) return;
    const { mm } = operation;
    if (op === 'switch' || op === 'exec') {
      this.#running[cpu] = mm;
      this.#last = mm;
    }
    if (op === 'switch' || op === 'pin' || op === 'fork' || op === 'exec') this.#exists[mm] = true;
    if (op === 'fork' && this.#isPinned(cpu)) this.#forked = true;
    if (op === 'fork' || op === 'exec') this.#ended[mm] = false;
    if (op === 'pin') this.#pins[mm] = (this.#pins[mm] ?? 0) + 1;
    if (op === 'unpin') this.#pins[mm] = Math.max(0, (this.#pins[mm] ?? 0) - 1);
  }

  /** The CPU runs a process, and no other one does. */
  #isAlone(cpu: number): boolean {
    const mm = this.#running[cpu] ?? NOBODY;
    return mm !== NOBODY && this.#running.every((other, at) => at === cpu || other !== mm);
  }

  /** A device uses what the CPU runs. */
  #isPinned(cpu: number): boolean {
    return (this.#pins[this.#running[cpu] ?? NOBODY] ?? 0) > 0;
  }

  /** There is no such process, or it is gone. */
  #isFree(mm: number): boolean {
    return (this.#exists[mm] === false || this.#ended[mm] === true) && this.#pins[mm] === 0;
  }
}
