import type { Machine } from '../machine.ts';
import { Step, type Result } from '../step.ts';

/**
 * Barriers under the names that Linux gives them (Documentation/memory-barriers.txt), each to be called inside a step. On
 * a machine without store buffers they do nothing: there, every step is ordered with all others.
 */

/** `smp_mb`, and `dsb(ish)`: what the running CPU has stored so far is in memory before it goes on. */
export function smp_mb(machine: Machine): void {
  machine.buffers?.drain();
}

/**
 * A step with `smp_mb` in front of it, as one step. (Between the two nothing could happen that is not reached otherwise:
 * the stores may arrive earlier by themselves.)
 */
export function afterMb<T extends Result>(machine: Machine, next: Step<T>): Step<T> {
  if (machine.buffers === undefined) return next;
  const run = (): T => {
    smp_mb(machine);
    return next.run();
  };
  return new Step(next.label, run, next.wait, next.show);
}

/** `wmb`, and `dsb(st)`: as `smp_mb`; that it does not order loads makes no difference here. */
export function wmb(machine: Machine): void {
  machine.buffers?.drain();
}

/** `smp_wmb`, and `dmb(ishst)`: later stores do not reach memory before earlier ones, when ever that is. */
export function smp_wmb(machine: Machine): void {
  machine.buffers?.orderStores();
}

/** `dma_wmb`, and `dmb(oshst)`: as `smp_wmb`, for devices too; there is one memory for both. */
export function dma_wmb(machine: Machine): void {
  machine.buffers?.orderStores();
}

/** `smp_rmb`, and `dmb(ishld)`: nothing, since loads are not reordered here. Software still says where it needs one. */
export function smp_rmb(_machine: Machine): void {
  // See above.
}

/**
 * Ordering of a release that acts at once (a reference dropped, `complete()`, a lock word that others poll in memory):
 * everything stored before is in memory first. Stronger than the architecture in one point: later loads wait for it too.
 */
export function releaseOrder(machine: Machine): void {
  machine.buffers?.drain();
}

/**
 * To be called before a register of a device is written. Devices are written to at once, so whatever a barrier orders
 * before that must have arrived. `writel_relaxed` is this alone, `writel` has a `dma_wmb` in front (Arm ARM, B2.3:
 * stores to Normal and to Device memory are not ordered without a barrier).
 */
export function beforeMmioWrite(machine: Machine): void {
  machine.buffers?.settle(-1);
}
