/**
 * The architecture itself as a device: it does one of the permitted things, chosen at random. A checker that finds a
 * deviation here contradicts itself.
 *
 * It has its own copy of the model, so a subclass that hears a command wrongly, or mistakes what it holds, is a device
 * with a bug (see the tests).
 */
import { Random } from '../../engine/random.ts';
import type { EventRecord } from '../../impl/qemu/index.ts';
import { decode, encode, EVENT, EVENT_CLASS, EVENT_RECORD, OPCODE } from '../../model/architecture/arm/layout/index.ts';
import { pick } from './choices.ts';
import { conformanceFeatures } from './conformance-features.ts';
import type { AccessAnswer, CommandAnswer, ConformanceDevice, OverflowAnswer, Part } from './device.ts';
import type { Permitted } from './deviation.ts';
import type { AccessKind } from './operation.ts';
import { Oracle } from './oracle.ts';
import type { ConformanceProgram } from './program.ts';

import { streamIdOf } from './world.ts';

export { conformanceFeatures };

/** A device that does what the architecture permits. */
export class ArchitectureDevice implements ConformanceDevice {
  readonly name = 'architecture';
  readonly version = 'architecture model';
  readonly features = conformanceFeatures;
  protected readonly random: Random;
  protected oracle: Oracle | undefined;

  /** @param seed of its choices among what is permitted. */
  constructor(seed: number) {
    this.random = new Random(seed);
  }

  begin(program: ConformanceProgram): Promise<void> {
    this.oracle = new Oracle(program, this.features);
    return Promise.resolve();
  }

  store(pa: number, low: number, high: number): void {
    this.#model.store(pa, low, high);
  }

  command(commands: readonly (readonly number[])[]): Promise<CommandAnswer> {
    if (commands.some((command) => this.isIllegal(command))) return Promise.resolve({ consumed: false, error: 1 });
    const sync = (command: readonly number[]): boolean => ((command[0] as number) & 0xff) === OPCODE.SYNC;
    this.#model.command(
      commands.filter((command) => !sync(command)).map((command) => this.hear(command)),
      commands.some(sync),
    );
    return Promise.resolve({ consumed: true, error: 0 });
  }

  writeRegister(offset: number, low: number, high?: number): void {
    this.#model.writeRegister(offset, low, high);
  }

  enable(on: boolean): Promise<void> {
    this.#model.enable(on);
    return Promise.resolve();
  }

  access(device: number, kind: AccessKind, address: { low: number; high: number }): Promise<AccessAnswer> {
    const streamId = streamIdOf(device);
    const events: EventRecord[] = [];
    const answer: AccessAnswer = { events };
    if (kind !== 'write') answer.read = this.#part(streamId, address, 'read', events);
    if (kind !== 'read') answer.write = this.#part(streamId, address, 'write', events);
    // As with a real device, the value that was read is seen only where it was written.
    if (kind === 'swap' && answer.write?.kind !== 'memory') answer.read = { kind: 'unobserved' };
    return Promise.resolve(answer);
  }

  overflow(_device: number, count: number): Promise<OverflowAnswer> {
    return Promise.resolve({ records: count - 1, overflow: true, abort: false });
  }

  resetEvents(): void {}

  finish(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** The command as the device understands it; a subclass may misunderstand. */
  protected hear(command: readonly number[]): readonly number[] {
    return command;
  }

  /** Whether the device refuses a command. */
  protected isIllegal(command: readonly number[]): boolean {
    return this.#model.isIllegal(command);
  }

  /** Which of the permitted outcomes happens; a subclass may choose one that is not permitted. */
  protected choose(permitted: readonly Permitted[], _part: 'read' | 'write'): Permitted {
    return pick(this.random, permitted);
  }

  /** The record of a fault; a subclass may get it wrong. */
  protected record(event: EventRecord): EventRecord {
    return event;
  }

  get #model(): Oracle {
    if (this.oracle === undefined) throw new Error('the device is used before it is begun');
    return this.oracle;
  }

  #part(streamId: number, address: { low: number; high: number }, part: 'read' | 'write', events: EventRecord[]): Part {
    const permitted = this.#model.permitted(streamId, address, part);
    if (permitted === undefined) return { kind: 'refused' };
    const chosen = this.choose(permitted, part);
    if (chosen.kind === 'memory') return chosen;
    if (chosen.kind === 'fault' && chosen.recorded) events.push(this.record(recordOf(chosen, streamId, address, part)));
    return { kind: 'refused' };
  }
}

/** The event record of a fault of an access without SubstreamID (IHI 0070 §7.3). */
export const recordOf = (
  { event, fetchAddress, stage2 }: Omit<Extract<Permitted, { kind: 'fault' }>, 'kind' | 'recorded'>,
  streamId: number,
  address: { low: number; high: number },
  part: 'read' | 'write',
): EventRecord => {
  const translation = event === EVENT.F_WALK_EABT || (event >= EVENT.F_TRANSLATION && event <= EVENT.F_PERMISSION);
  const ofInput = translation
    ? {
        RnW: part === 'read' ? 1 : 0,
        S2: stage2 === undefined ? 0 : 1,
        CLASS: stage2?.class ?? (event === EVENT.F_WALK_EABT ? EVENT_CLASS.TABLE : EVENT_CLASS.INPUT),
        InputAddrLow: address.low >>> 0,
        InputAddrHigh: address.high >>> 0,
      }
    : {};
  const FetchAddr = event === EVENT.F_WALK_EABT ? fetchAddress : (stage2?.ipa ?? fetchAddress);
  return decode(EVENT_RECORD, encode(EVENT_RECORD, { Event: event, StreamID: streamId, FetchAddr, ...ofInput }));
};
