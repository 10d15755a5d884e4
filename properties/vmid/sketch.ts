import type { VmidConfiguration, VmidOperation } from './configuration.ts';

/** Most devices that use one machine. */
const PINS_MAX = 2;

/** What a program that is being drawn has done so far, as if its operations ran one after the other. */
export class Sketch {
  /** Most machines that can be pinned. */
  readonly pinsMax: number;
  readonly #vms: readonly number[];
  readonly #vcpus: number;
  /** For each CPU: the machine and its vCPU that are there, or undefined; and whether the guest was left. */
  readonly #threads: ({ readonly vm: number; readonly vcpu: number } | undefined)[];
  readonly #left: boolean[];
  /** For each CPU: the machine before the one that is there or was last, -1 for none. */
  readonly #before: number[];
  readonly #latest: number[];
  readonly #pins: number[];
  #last = -1;

  constructor({ cpus, vmids, vms, vcpus }: VmidConfiguration) {
    this.pinsMax = Math.max(0, vmids - cpus - 1);
    this.#vms = Array.from({ length: vms }, (_, vm) => vm);
    this.#vcpus = vcpus;
    this.#threads = Array.from({ length: cpus }, () => undefined);
    this.#left = Array.from({ length: cpus }, () => true);
    this.#before = Array.from({ length: cpus }, () => -1);
    this.#latest = Array.from({ length: cpus }, () => -1);
    this.#pins = this.#vms.map(() => 0);
  }

  /** Whether there is something that a kind of operation may do on a CPU. */
  applies(cpu: number, op: VmidOperation['op']): boolean {
    if (op === 'exit') return this.#left[cpu] === false;
    if (op === 'put') return this.#threads[cpu] !== undefined;
    return this.#vms.some((vm) => this.fits(cpu, op, vm));
  }

  /** Whether an operation on a CPU applies to a machine. */
  fits(cpu: number, op: VmidOperation['op'], vm: number): boolean {
    switch (op) {
      case 'run':
        return this.vcpuFor(cpu, vm) >= 0;
      case 'pin':
        return (this.#pins[vm] ?? 0) < PINS_MAX;
      case 'unpin':
        return this.#pins[vm] !== 0;
      case 'destroy':
        return this.#pins[vm] === 0 && !this.#threads.some((thread) => thread?.vm === vm);
      default:
        return true;
    }
  }

  /** A vCPU of a machine that may run on a CPU, the one that is there already if so; -1 if there is none. */
  vcpuFor(cpu: number, vm: number): number {
    const here = this.#threads[cpu];
    if (here?.vm === vm) return here.vcpu;
    const all = Array.from({ length: this.#vcpus }, (_, vcpu) => vcpu);
    return all.find((vcpu) => !this.#threads.some((other) => other?.vm === vm && other.vcpu === vcpu)) ?? -1;
  }

  /** The machine that a CPU ran before the last one, -1 if there is none that can run there. */
  before(cpu: number): number {
    const vm = this.#before[cpu] ?? -1;
    return vm >= 0 && this.fits(cpu, 'run', vm) ? vm : -1;
  }

  /** The machine after the one that ran last, and another than one, which can run on the CPU. */
  turn(cpu: number, except: number): number {
    const count = this.#vms.length;
    const later = this.#vms.map((vm) => (this.#last + 1 + vm) % count);
    return later.find((vm) => vm !== except && this.fits(cpu, 'run', vm)) ?? later[0] ?? 0;
  }

  /** The operation is part of the program. */
  add(cpu: number, operation: VmidOperation): void {
    const { op } = operation;
    this.#left[cpu] = op !== 'run';
    if (op === 'put') this.#threads[cpu] = undefined;
    if (!('vm' in operation)) return;
    const { vm } = operation;
    if (op === 'run') {
      this.#threads[cpu] = { vm, vcpu: operation.vcpu };
      this.#last = vm;
      if (this.#latest[cpu] !== vm) this.#before[cpu] = this.#latest[cpu] ?? -1;
      this.#latest[cpu] = vm;
    }
    if (op === 'pin') this.#pins[vm] = (this.#pins[vm] ?? 0) + 1;
    if (op === 'unpin') this.#pins[vm] = Math.max(0, (this.#pins[vm] ?? 0) - 1);
  }
}
