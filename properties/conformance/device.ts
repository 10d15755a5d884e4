/**
 * A device under test as the runner sees it: memory, registers, commands, accesses, and what came of each access.
 *
 * The device answers an access with where it went, found by content: every place where an access could land holds a
 * pattern of its own, so a value read names the place that it came from, and a written value is looked for.
 */
import type { EventRecord } from '../../impl/qemu/index.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { AccessKind } from './operation.ts';
import type { ConformanceProgram } from './program.ts';

/** What became of a read or of a write. */
export type Part =
  | { readonly kind: 'memory'; readonly pa: number }
  /** It did not take place: a read returned zeros, a write is nowhere to be found. */
  | { readonly kind: 'refused' }
  /** What a read returned was written back, and the write was refused: nothing shows where it came from. */
  | { readonly kind: 'unobserved' }
  /** A read returned what is in no place that is watched. */
  | { readonly kind: 'foreign'; readonly value: number };

/** The answer to an access: a swap has both parts. Reads of some devices are known only after `finish`. */
export interface AccessAnswer {
  read?: Part;
  write?: Part;
  /** Event records that came with it, oldest first. */
  readonly events: readonly EventRecord[];
}

/** The answer to a batch of commands. */
export interface CommandAnswer {
  /** Whether the queue ran empty. */
  readonly consumed: boolean;
  /** CMDQ_CONS.ERR. */
  readonly error: number;
}

/** What the event queue says after more events than it holds (IHI 0070 §7.4). */
export interface OverflowAnswer {
  readonly records: number;
  readonly overflow: boolean;
  readonly abort: boolean;
}

/** Values of the identification registers IDR0, IDR1, IDR3, IDR5. */
export type Identification = readonly [idr0: number, idr1: number, idr3: number, idr5: number];

/** A device under test. Every method may reject with `QemuGone`; the device is of no use after that. */
export interface ConformanceDevice {
  readonly name: string;
  readonly features: SmmuFeatures;
  /**
   * Brings the device to the start of a program: memory cleared and patterns laid, queues empty, stream table set,
   * every cache invalidated, translation still off.
   *
   * @param thorough by a reset of the whole device instead of invalidation commands.
   */
  begin(program: ConformanceProgram, thorough: boolean): Promise<void>;
  /** Writes a 64-bit word of memory. */
  store(pa: number, low: number, high: number): void;
  /** Submits commands and waits until the queue is empty or has stopped. */
  command(commands: readonly (readonly number[])[]): Promise<CommandAnswer>;
  /** Writes a register. */
  writeRegister(offset: number, low: number, high?: number): void;
  /** Switches translation (CR0.SMMUEN). */
  enable(on: boolean): Promise<void>;
  /**
   * @param device index of the DMA device.
   * @param likely addresses to look at first for what was written.
   */
  access(
    device: number,
    kind: AccessKind,
    address: { low: number; high: number },
    likely: readonly number[],
  ): Promise<AccessAnswer>;
  /**
   * Writes `count` times by a device whose transactions all fault, without taking events from the queue.
   *
   * @returns what the event queue says then: records in it, overflow flag, and whether an abort was reported in GERROR.
   */
  overflow(device: number, count: number): Promise<OverflowAnswer>;
  /** Empties the event queue and starts it again from its first entry. */
  resetEvents(): void;
  /** Completes every answer given so far. */
  finish(): Promise<void>;
  /** Ends the device. */
  stop(): Promise<void>;
}
