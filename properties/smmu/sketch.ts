import type { SmmuConfiguration } from './configuration.ts';
import type { SmmuOperation } from './operations.ts';

/** What a device may be attached to, roughly. */
type Attached = 'none' | 'host' | 'nested';

/** A rough idea of the state that a program has reached: enough to draw operations that apply. */
export class Sketch {
  readonly #attached: Attached[];
  readonly #places: number[];
  readonly #mapped: boolean[][];
  readonly #blocks: boolean[];
  readonly #guest: boolean[][];
  readonly #vdevices: boolean[];
  #other = true;

  constructor({ masters, start, mapped, block }: SmmuConfiguration) {
    const to = start === 'nested' ? 'nested' : 'host';
    this.#attached = [0, 1].map((device) => (device < masters ? to : 'none'));
    this.#places = [0, 1].map((device) => (device < masters && to === 'host' ? (start === 'stage 1' ? 0 : 1) : -1));
    this.#mapped = [0, 1, 2].map((place) => [0, 1].map((page) => page < mapped && !(block && place > 0)));
    this.#blocks = [false, block, block];
    this.#guest = [0, 1].map(() => [0, 1].map((page) => page < mapped));
    this.#vdevices = [0, 1].map((device) => start !== 'stage 1' && device < masters);
  }

  /** How much an operation is wanted now; 0: it would not apply. Frames play no part. */
  weight(operation: SmmuOperation): number {
    switch (operation.op) {
      case 'attach':
        return this.#attachWeight(operation);
      case 'detach':
        return this.#attached[operation.device] === 'none' ? 0 : 3;
      case 'bypass':
        return 1;
      case 'domainAlloc':
        return this.#other ? 0 : 8;
      case 'domainFree':
        return this.#other && !this.#places.includes(2) ? 3 : 0;
      case 'vmidPressure':
        return 2;
      case 'vdeviceAlloc':
        return this.#vdevices[operation.device] === true ? 0 : 6;
      case 'vdeviceDestroy':
        return this.#vdevices[operation.device] === true ? 2 : 0;
      case 'guestStream':
        if (this.#vdevices[operation.device] !== true) return 1;
        if (operation.config !== 2) return 1;
        return this.#attached[operation.device] === 'nested' ? 2 : 12;
      case 'guestContext':
        return this.#attached[operation.device] === 'nested' ? 2 : 0;
      case 'guestFlush':
        return 1;
      case 'guestPoke':
        return this.#vdevices[operation.device] === true ? 1 : 0;
      case 'guestMap':
      case 'guestUnmap':
      case 'guestUnmapTable':
        return this.#guestWeight(operation);
      case 'dma':
        return 1;
      default:
        return this.#domainWeight(operation);
    }
  }

  /** Takes note of an operation as if it had run alone. */
  apply(operation: SmmuOperation): void {
    switch (operation.op) {
      case 'attach':
        this.#attach(operation.device, 'host', operation.place);
        return;
      case 'detach':
      case 'bypass':
        this.#attach(operation.device, 'none', -1);
        return;
      case 'guestStream':
        if (this.#vdevices[operation.device] === true) this.#attach(operation.device, 'nested', -1);
        return;
      case 'map':
      case 'unmap':
        this.#pages(operation.place)[operation.page] = operation.op === 'map';
        return;
      case 'unmapPages':
        this.#pages(operation.place).fill(false);
        return;
      case 'mapBlock':
      case 'unmapTable':
        this.#blocks[operation.place] = operation.op === 'mapBlock';
        this.#pages(operation.place).fill(false);
        return;
      case 'split':
        this.#blocks[operation.place] = false;
        this.#pages(operation.place).fill(true);
        return;
      case 'domainAlloc':
      case 'domainFree':
        this.#other = operation.op === 'domainAlloc';
        this.#blocks[2] = false;
        this.#pages(2).fill(false);
        return;
      case 'vdeviceAlloc':
      case 'vdeviceDestroy':
        this.#vdevices[operation.device] = operation.op === 'vdeviceAlloc';
        return;
      case 'guestMap':
      case 'guestUnmap':
        this.#guestPages(operation.space)[operation.page] = operation.op === 'guestMap';
        return;
      case 'guestUnmapTable':
        this.#guestPages(operation.space).fill(false);
        return;
      case 'vmidPressure':
      case 'guestContext':
      case 'guestFlush':
      case 'guestPoke':
      case 'dma':
    }
  }

  #attach(device: number, to: Attached, place: number): void {
    this.#attached[device] = to;
    this.#places[device] = place;
  }

  #attachWeight({ place, device }: SmmuOperation & { readonly op: 'attach' }): number {
    if (place === 2 && !this.#other) return 0;
    return this.#places[device] === place ? 1 : 2;
  }

  #guestWeight(operation: SmmuOperation & { readonly op: 'guestMap' | 'guestUnmap' | 'guestUnmapTable' }): number {
    const wanted = operation.space === 0 ? 2 : 1;
    const pages = this.#guestPages(operation.space);
    if (operation.op === 'guestUnmapTable') return pages.some(Boolean) ? 2 * wanted : 0;
    const mapped = pages[operation.page] === true;
    if (operation.op === 'guestUnmap') return mapped ? 2 * wanted : 0;
    return mapped ? 0 : 2 * wanted;
  }

  #domainWeight(
    operation: SmmuOperation & { readonly op: 'map' | 'unmap' | 'unmapPages' | 'unmapTable' | 'mapBlock' | 'split' },
  ): number {
    const { op, place } = operation;
    if (place === 2 && !this.#other) return 0;
    const wanted = place === 1 ? 3 : 1;
    const block = this.#blocks[place] === true;
    const pages = this.#pages(place);
    switch (op) {
      case 'map':
        return block || pages[operation.page] === true ? 0 : 2 * wanted;
      case 'unmap':
        return pages[operation.page] === true ? 4 * wanted : 0;
      case 'unmapPages':
        return pages.every(Boolean) ? 4 * wanted : 0;
      case 'unmapTable':
        return block || pages.some(Boolean) ? 2 * wanted : 0;
      case 'mapBlock':
        return block || pages.some(Boolean) ? 0 : 2 * wanted;
      case 'split':
        return block ? 4 * wanted : 0;
    }
  }

  #pages(place: number): boolean[] {
    return this.#mapped[place] ?? [];
  }

  #guestPages(space: number): boolean[] {
    return this.#guest[space] ?? [];
  }
}
