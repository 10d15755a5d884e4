import type { BtmConfiguration } from './configuration.ts';
import type { BtmOperation } from './operations.ts';

const [PARENT, OTHER, PRIVATE, SECOND] = [0, 1, 2, 3];

/** A rough idea of the state that a program has reached: enough to draw operations that apply. */
export class Sketch {
  /** The machine that each CPU runs, -1: none. */
  readonly #running = [-1, -1, -1];
  /** The place that each device is attached to, -1: none; and whether by the guest's stage 1. */
  readonly #places: number[];
  readonly #nested: boolean[];
  readonly #exists: boolean[];
  readonly #pins: boolean;
  readonly #stage1: boolean;
  readonly #mapped: boolean[][];
  readonly #kvm: boolean[];
  readonly #destroyed = [false, false, false];
  readonly #ran = [false, false, false];
  #guest: boolean;

  constructor({ design, stage1, mapped, other, device0, device1 }: BtmConfiguration) {
    this.#pins = design === 'pinned';
    this.#exists = [true, other, true, false];
    this.#stage1 = stage1;
    const starts = [device0, device1];
    const place = { nothing: -1, nested: PARENT, guest: PARENT, other: OTHER, private: PRIVATE };
    this.#places = starts.map((start) => place[start] ?? -1);
    this.#nested = starts.map((start) => start === 'nested');
    this.#mapped = [PARENT, OTHER, PRIVATE, SECOND].map((at) => [mapped > 0 && at !== SECOND, false]);
    this.#kvm = [0, 1, 2].map(() => mapped > 0);
    this.#guest = mapped > 0;
  }

  /** How much an operation is wanted on a CPU now; 0: it would not apply. */
  weight(cpu: number, operation: BtmOperation): number {
    switch (operation.op) {
      case 'run':
        if (this.#destroyed[operation.machine] === true || this.#running[cpu] === operation.machine) return 0;
        return this.#ran[operation.machine] === true ? 2 : 4;
      case 'put':
        return (this.#running[cpu] ?? -1) < 0 ? 0 : 2;
      case 'churn':
        return operation.times === 1 ? 6 : 3;
      case 'kvmMap':
        return this.#hasKvm(operation.machine) && this.#kvm[operation.machine] === false ? 2 : 0;
      case 'kvmUnmap':
        if (!this.#hasKvm(operation.machine) || this.#kvm[operation.machine] === false) return 0;
        // Before it has run, nobody has anything of it.
        return this.#ran[operation.machine] === true ? 6 : 1;
      case 'vmDestroy':
        return this.#destroyed[operation.machine] === true ? 0 : operation.machine === 1 && this.#pins ? 9 : 1;
      case 'vmidPressure':
        return 1;
      case 'guestMap':
      case 'guestUnmap':
      case 'guestUnmapTable':
      case 'guestNest':
      case 'guestFlush':
        return this.#guestWeight(operation);
      default:
        return this.#domainWeight(operation);
    }
  }

  /** Takes note of an operation as if it had run alone. */
  apply(cpu: number, operation: BtmOperation): void {
    switch (operation.op) {
      case 'run':
        this.#running[cpu] = operation.machine;
        this.#ran[operation.machine] = true;
        return;
      case 'put':
      case 'churn':
        this.#running[cpu] = -1;
        return;
      case 'kvmMap':
      case 'kvmUnmap':
        this.#kvm[operation.machine] = operation.op === 'kvmMap';
        return;
      case 'vmDestroy':
        this.#destroyed[operation.machine] = true;
        return;
      case 'guestMap':
      case 'guestUnmap':
      case 'guestUnmapTable':
        this.#running[cpu] = 0;
        this.#guest = operation.op === 'guestMap';
        return;
      case 'guestNest':
        this.#running[cpu] = 0;
        this.#places[operation.device] = PARENT;
        this.#nested[operation.device] = true;
        return;
      case 'guestFlush':
        this.#running[cpu] = 0;
        return;
      case 'vmidPressure':
        return;
      default:
        return this.#applyToDomain(operation);
    }
  }

  #applyToDomain(operation: DomainOperation): void {
    switch (operation.op) {
      case 'map':
      case 'unmap':
        (this.#mapped[operation.place] as boolean[])[operation.page] = operation.op === 'map';
        return;
      case 'attach':
        this.#places[operation.device] = operation.place;
        this.#nested[operation.device] = false;
        return;
      case 'detach':
        this.#places[operation.device] = -1;
        this.#nested[operation.device] = false;
        return;
      case 'domainAlloc':
      case 'domainFree':
        this.#exists[operation.place] = operation.op === 'domainAlloc';
        this.#mapped[operation.place] = [false, false];
    }
  }

  /** Whether a place has a stage 2 whose machine KVM has closed. */
  #outlives(place: number | undefined): boolean {
    return place === OTHER && this.#pins && this.#destroyed[1] === true;
  }

  #hasKvm(machine: number): boolean {
    return this.#destroyed[machine] === false;
  }

  #guestWeight(operation: GuestOperation): number {
    if (!this.#stage1) return 0;
    switch (operation.op) {
      case 'guestMap':
        return this.#guest ? 0 : 4;
      case 'guestUnmap':
        return this.#guest ? 6 : 0;
      case 'guestUnmapTable':
        return this.#guest ? 2 : 0;
      case 'guestNest':
        return this.#nested[operation.device] === true ? 0 : 3;
      case 'guestFlush':
        return 1;
    }
  }

  #domainWeight(operation: DomainOperation): number {
    switch (operation.op) {
      case 'map':
      case 'unmap': {
        if (this.#exists[operation.place] === false) return 0;
        if (operation.op === 'map' && operation.page === 1 && operation.frame === 1) return 0;
        const mapped = this.#mapped[operation.place]?.[operation.page] === true;
        const wanted = (operation.page === 0 ? 2 : 1) * (this.#places.includes(operation.place) ? 2 : 1);
        return mapped === (operation.op === 'unmap') ? wanted : 0;
      }
      case 'attach':
        if (this.#exists[operation.place] === false) return 0;
        if (this.#places[operation.device] === operation.place && this.#nested[operation.device] === false) return 0;
        return operation.place === SECOND ? 8 : operation.place === OTHER ? 4 : 2;
      case 'detach':
        if (this.#places[operation.device] === -1) return 0;
        return this.#outlives(this.#places[operation.device]) ? 12 : 4;
      case 'domainAlloc':
        if (this.#exists[operation.place] === true) return 0;
        if (operation.place === SECOND) return this.#pins ? 6 : 2;
        return this.#outlives(operation.place) ? 6 : 8;
      case 'domainFree':
        if (this.#exists[operation.place] === false || this.#places.includes(operation.place)) return 0;
        return this.#outlives(operation.place) ? 16 : 8;
    }
  }
}

type GuestOperation = BtmOperation & {
  readonly op: 'guestMap' | 'guestUnmap' | 'guestUnmapTable' | 'guestNest' | 'guestFlush';
};
type DomainOperation = BtmOperation & {
  readonly op: 'map' | 'unmap' | 'attach' | 'detach' | 'domainAlloc' | 'domainFree';
};
