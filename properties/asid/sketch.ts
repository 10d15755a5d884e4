import { PAGES, type AsidConfiguration } from './configuration.ts';
import type { AsidOperation } from './operations.ts';

/** A rough idea of the state that a program has reached: enough to draw operations that apply. */
export class Sketch {
  /** For each device its domain, or -1. */
  readonly #attached: number[];
  readonly #mapped: boolean[][];
  readonly #blocks: boolean[];
  readonly #domains: boolean[];
  readonly #bound = new Set<string>();
  readonly #alive: boolean[];
  readonly #mm: boolean[][];
  readonly #buffers: boolean[];

  constructor({ masters, mapped, block, processes, bound, lazy }: AsidConfiguration) {
    this.#attached = [0, 1].map((device) => (device < masters ? 0 : -1));
    this.#mapped = [PAGES.map((_, page) => page < mapped), PAGES.map(() => false)];
    this.#blocks = [block, false];
    this.#domains = [true, true];
    this.#alive = Array.from({ length: processes }, () => true);
    this.#mm = Array.from({ length: processes }, (_, process) =>
      PAGES.map((_page, page) => process === 0 && page === 0),
    );
    this.#buffers = lazy ? [true, false] : [];
    if (bound) this.#bound.add('0/0');
  }

  /** How much an operation is wanted now; 0: it would not apply. Frames play no part. */
  weight(operation: AsidOperation): number {
    switch (operation.op) {
      case 'attach':
        return operation.domain === 1 ? 2 : this.#attached[operation.device] === 0 ? 1 : 4;
      case 'detach':
        return (this.#attached[operation.device] ?? -1) < 0 ? 1 : 4;
      case 'bind':
      case 'unbind':
        return this.#bondWeight(operation);
      case 'mmap':
      case 'munmap':
      case 'exit':
        return this.#alive[operation.process] === true ? this.#processWeight(operation) : 0;
      case 'asidPressure':
        return 3;
      case 'dmaMap':
        return this.#buffers[operation.buffer] === true ? 0 : 8;
      case 'dmaUnmap':
        return this.#buffers[operation.buffer] === true ? 8 : 0;
      case 'dmaFlush':
        return 6;
      case 'failNth':
        return 3;
      case 'dma':
        return operation.process < 0 || (operation.process === 0 && operation.page === 0) ? 1 : 0;
      case 'domainAlloc':
        return this.#domains[operation.domain] === true ? 0 : 6;
      default:
        return this.#domains[operation.domain] === true ? this.#domainWeight(operation) : 0;
    }
  }

  /** Takes note of an operation as if it had run alone. */
  apply(operation: AsidOperation): void {
    switch (operation.op) {
      case 'attach':
        this.#attached[operation.device] = operation.domain;
        return;
      case 'detach':
        this.#attached[operation.device] = -1;
        return;
      case 'map':
      case 'unmap':
        this.#pages(operation.domain)[operation.page] = operation.op === 'map';
        return;
      case 'mapBlock':
      case 'unmapTable':
        this.#blocks[operation.domain] = operation.op === 'mapBlock';
        this.#pages(operation.domain).fill(false);
        return;
      case 'split':
        this.#blocks[operation.domain] = false;
        this.#pages(operation.domain).fill(true);
        return;
      case 'domainAlloc':
      case 'domainFree':
        this.#domains[operation.domain] = operation.op === 'domainAlloc';
        this.#blocks[operation.domain] = false;
        this.#pages(operation.domain).fill(false);
        return;
      case 'bind':
        this.#bound.add(bond(operation));
        return;
      case 'unbind':
        this.#bound.delete(bond(operation));
        return;
      case 'mmap':
      case 'munmap':
        (this.#mm[operation.process] ?? [])[operation.page] = operation.op === 'mmap';
        return;
      case 'exit':
        this.#alive[operation.process] = false;
        return;
      case 'dmaMap':
      case 'dmaUnmap':
        this.#buffers[operation.buffer] = operation.op === 'dmaMap';
        return;
      case 'asidPressure':
      case 'dmaFlush':
      case 'failNth':
      case 'dma':
    }
  }

  #bondWeight(operation: AsidOperation & { readonly op: 'bind' | 'unbind' }): number {
    const bound = this.#bound.has(bond(operation));
    if (operation.op === 'unbind') return bound ? 5 : 0;
    if (bound) return 1;
    return this.#alive[operation.process] === true && (this.#attached[operation.device] ?? -1) >= 0 ? 8 : 0;
  }

  #processWeight(operation: AsidOperation & { readonly op: 'mmap' | 'munmap' | 'exit' }): number {
    if (operation.op === 'exit') return 1;
    const mapped = this.#mm[operation.process]?.[operation.page] === true;
    if (operation.op === 'mmap') return mapped ? 0 : 2;
    return mapped ? 4 : 0;
  }

  #domainWeight(
    operation: AsidOperation & { readonly op: 'map' | 'unmap' | 'unmapTable' | 'mapBlock' | 'split' | 'domainFree' },
  ): number {
    const { op, domain } = operation;
    const wanted = domain === 0 ? 3 : 1;
    const block = this.#blocks[domain] === true;
    const pages = this.#pages(domain);
    switch (op) {
      case 'map':
        return block || pages[operation.page] === true ? 0 : 2 * wanted;
      case 'unmap':
        return pages[operation.page] === true ? 4 * wanted : 0;
      case 'unmapTable':
        return block || pages.some(Boolean) ? 2 * wanted : 0;
      case 'mapBlock':
        return block || pages.some(Boolean) ? 0 : 2 * wanted;
      case 'split':
        return block ? 4 * wanted : 0;
      case 'domainFree':
        return this.#attached.includes(domain) ? 0 : 4;
    }
  }

  #pages(domain: number): boolean[] {
    return this.#mapped[domain] ?? [];
  }
}

function bond({ process, device }: { readonly process: number; readonly device: number }): string {
  return `${process}/${device}`;
}
