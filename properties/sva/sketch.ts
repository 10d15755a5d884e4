import type { SvaConfiguration } from './configuration.ts';
import type { SvaOperation } from './operations.ts';
import { PAGES } from './pages.ts';

/** A rough idea of the state that a program has reached, as if its operations ran one after the other. */
export class Sketch {
  readonly #running: number[];
  readonly #alive: boolean[];
  /** It has run, or was made by fork. */
  readonly #born: boolean[];
  readonly #mapped: boolean[][];
  readonly #bonds = new Set<string>();
  readonly #attached: boolean[];
  readonly #domain: boolean[];
  /** Children that a device is to use, once they have run: what they need next. */
  readonly #next = new Map<number, 'switch' | 'bind'>();
  #last = -1;
  #forked = false;

  constructor({ cpus, processes, masters, both, domain, running, bound }: SvaConfiguration) {
    this.#running = Array.from({ length: cpus }, (_, cpu) => (running && cpu === 0 ? 0 : -1));
    this.#alive = Array.from({ length: processes }, () => true);
    this.#born = this.#alive.map((_, process) => (running || bound) && process === 0);
    this.#mapped = this.#alive.map(() => PAGES.map((_page, page) => page === 0 || both));
    this.#attached = Array.from({ length: masters }, () => domain);
    this.#domain = PAGES.map((_, page) => page === 0);
    if (bound) this.#bonds.add(bond(0, 0));
  }

  /** Whether an operation on a CPU would apply. */
  fits(cpu: number, operation: SvaOperation): boolean {
    const running = this.#running[cpu] ?? -1;
    switch (operation.op) {
      case 'switch':
        return this.#isAlive(operation.process) && running !== operation.process;
      case 'idle':
        return running >= 0;
      case 'fork':
        return running >= 0 && this.#born[operation.process] === false;
      case 'exit':
        return running >= 0 && !this.#running.some((other, at) => at !== cpu && other === running);
      case 'mmap':
      case 'munmap': {
        const { op, process, page } = operation;
        return this.#isAlive(process) && (this.#mapped[process]?.[page] === true) === (op === 'munmap');
      }
      case 'bind':
        return this.#isAlive(operation.process) && this.#attached[operation.device] === true;
      case 'unbind':
        return this.#bonds.has(bond(operation.process, operation.device));
      case 'attach':
      case 'detach': {
        const { op, device } = operation;
        const bound = [...this.#bonds].some((name) => name.endsWith(`/${device}`));
        return !bound && (this.#attached[device] === true) === (op === 'detach');
      }
      case 'map':
      case 'unmap':
        return (this.#domain[operation.page] === true) === (operation.op === 'unmap');
      case 'asidPressure':
        return true;
    }
  }

  /** How far the story of a child has come: a process forks, the child runs, a device uses it. */
  get child(): 'none' | 'made' | 'used' {
    if (!this.#forked) return 'none';
    return this.#next.size > 0 ? 'made' : 'used';
  }

  /** Whether that story needs this next; at its end it is that others take up the ASIDs that are left. */
  needs(operation: SvaOperation): boolean {
    if (!('process' in operation)) return false;
    const { op, process } = operation;
    if (this.child === 'used') return op === 'switch' && this.#born[process] === false;
    return this.#next.get(process) === op;
  }

  /** The process that a CPU runs, -1 for none. */
  runs(cpu: number): number {
    return this.#running[cpu] ?? -1;
  }

  /** How many devices use a process. */
  bondsOf(process: number): number {
    return [...this.#bonds].filter((name) => name.startsWith(`${process}/`)).length;
  }

  /** The process after the one that was switched to last that is not the one excepted. */
  turn(cpu: number, except: number): number {
    const count = this.#alive.length;
    const later = this.#alive.map((_, process) => (this.#last + 1 + process) % count);
    return later.find((process) => process !== except && this.fits(cpu, { op: 'switch', process })) ?? -1;
  }

  /** The operation is part of the program. */
  add(cpu: number, operation: SvaOperation): void {
    switch (operation.op) {
      case 'switch':
        this.#running[cpu] = this.#last = operation.process;
        this.#born[operation.process] = true;
        if (this.needs(operation)) this.#next.set(operation.process, 'bind');
        return;
      case 'idle':
        this.#running[cpu] = -1;
        return;
      case 'fork':
        this.#born[operation.process] = true;
        this.#next.set(operation.process, 'switch');
        this.#forked = true;
        return;
      case 'exit':
        this.#alive[this.#running[cpu] ?? -1] = false;
        this.#running[cpu] = -1;
        return;
      case 'mmap':
      case 'munmap':
        (this.#mapped[operation.process] ?? [])[operation.page] = operation.op === 'mmap';
        return;
      case 'bind':
        this.#bonds.add(bond(operation.process, operation.device));
        this.#next.delete(operation.process);
        this.#born[operation.process] = true;
        return;
      case 'unbind':
        this.#bonds.delete(bond(operation.process, operation.device));
        return;
      case 'attach':
      case 'detach':
        this.#attached[operation.device] = operation.op === 'attach';
        return;
      case 'map':
      case 'unmap':
        this.#domain[operation.page] = operation.op === 'map';
        return;
      case 'asidPressure':
    }
  }

  #isAlive(process: number): boolean {
    return this.#alive[process] === true;
  }
}

function bond(process: number, device: number): string {
  return `${process}/${device}`;
}
