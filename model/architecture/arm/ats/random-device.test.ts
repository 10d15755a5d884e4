import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { decodeCommand, type Command } from '../commands/invalidation.ts';
import { FULL_FEATURES } from '../layout/features.ts';
import { REGISTER } from '../layout/register.ts';
import { operation, PAGES, STREAMS, type Operation } from '../testing/programs.ts';
import { atcInv, cfgi, SYNC, TestWorld, tlbi } from '../testing/world.ts';
import { coversAtc } from './atc-invalidation.ts';

/**
 * Devices that send translation requests when they like, keep what they like of the answers, and invalidate when they
 * are told to, at some time before the CMD_SYNC completes. Whatever they make of that, the model must permit.
 */

const features = { ...FULL_FEATURES, ats: true };
const slots = STREAMS.flatMap((streamId) => PAGES.map((va) => ({ streamId, substream: -1, va, ats: true as const })));
const READ = { write: false, privileged: false, instruction: false };

function atsWorld(): { world: TestWorld; tables: number[] } {
  const world = new TestWorld(slots, features);
  const tables = Array.from({ length: 6 }, () => world.table());
  for (const va of PAGES) world.link(tables[0] as number, va, 2, tables[va > 0x10_0000 ? 3 : 2]);
  for (const streamId of STREAMS) {
    world.cd(streamId, { ASID: 5, T0SZ: 34, TTB0: tables[0] as number });
    world.ste(streamId, { EATS: 1 });
  }
  world.smmu.writeRegister(REGISTER.CR0, 9 | (1 << 4));
  return { world, tables };
}

function does(apply: Operation['apply'], submits: readonly number[][] = []): Operation {
  return { apply, submits };
}

const stream = fc.constantFrom(...STREAMS);
const invalidation = fc.oneof(
  fc.tuple(stream, fc.constantFrom(...PAGES)).map(([StreamID, Address]) => atcInv({ StreamID, Address })),
  fc.tuple(stream, fc.constantFrom(1, 9, 52)).map(([StreamID, Size]) => atcInv({ StreamID, Size })),
);
const atsOperation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: operation },
  { weight: 3, arbitrary: invalidation.map((lanes) => does((world) => world.issue(lanes), [lanes])) },
  fc.tuple(stream, fc.nat(1)).map(([streamId, EATS]) => does((world) => world.ste(streamId, { EATS }))),
  fc.nat(1).map((check) => does((world) => world.smmu.writeRegister(REGISTER.CR0, 9 | (check << 4)))),
);
const program = fc.array(atsOperation, { minLength: 5, maxLength: 50 });

interface Held {
  readonly slot: number;
  readonly address: number;
}

/** The ATCs of both devices. */
class RandomDevices {
  readonly #world: TestWorld;
  readonly #next: (below: number) => number;
  #held: Held[] = [];
  #commands: Command[] = [];

  constructor(world: TestWorld, next: (below: number) => number) {
    this.#world = world;
    this.#next = next;
  }

  get held(): readonly Held[] {
    return this.#held;
  }

  submit(lanes: number[]): void {
    this.#commands.push(decodeCommand(features, lanes));
  }

  finish(): void {
    for (const command of this.#commands.splice(0)) this.#process(command);
  }

  wander(): void {
    if (this.#next(3) > 0) {
      this.#request(this.#next(slots.length));
      return;
    }
    // What is behind a CMD_SYNC waits until software has seen it complete.
    const [first] = this.#commands;
    if (first !== undefined && first.kind !== 'sync') this.#process(this.#commands.shift() as Command);
  }

  #request(slot: number): void {
    const completions = this.#world.smmu.ats?.completions(slot, READ) ?? [];
    const granted = completions.flatMap((one) => (one.kind === 'granted' ? [one.address] : []));
    const address = granted[this.#next(granted.length + 1)];
    if (address !== undefined) this.#held.push({ slot, address });
  }

  #process(command: Command): void {
    if (command.kind !== 'atc') return;
    this.#held = this.#held.filter(({ slot }) => {
      const { streamId, substream, va } = slots[slot] as (typeof slots)[number];
      return !coversAtc(command, { streamId, substream, page: va / 4096 });
    });
  }
}

describe('whatever devices do', () => {
  test.prop([program, fc.infiniteStream(fc.nat(0xffff))], { numRuns: 100 })('is permitted', (operations, choices) => {
    const { world, tables } = atsWorld();
    const devices = new RandomDevices(world, (below) => (choices.next().value as number) % below);
    for (const { apply, submits } of operations) {
      apply(world, tables);
      for (const lanes of submits) devices.submit(lanes);
      if (submits[0] === SYNC) devices.finish();
      for (let choice = 0; choice < 4; choice++) devices.wander();
      for (const { slot, address } of devices.held) {
        const known = world.smmu.outcomes(slot).filter((one) => one.kind === 'translated' && one.address === address);
        expect(known).not.toEqual([]);
      }
    }
  });

  test.prop([program], { numRuns: 100 })(
    'nothing is left when the SMMU and then the ATCs have been invalidated',
    (operations) => {
      const { world, tables } = atsWorld();
      for (const { apply } of operations) apply(world, tables);
      for (const streamId of STREAMS) world.sync(cfgi('CFGI_STE', { StreamID: streamId }));
      world.sync(tlbi('TLBI_NSNH_ALL'));
      world.sync(...STREAMS.map((StreamID) => atcInv({ StreamID, Size: 52 })));
      for (const [slot] of slots.entries()) {
        const outcomes = world.smmu.outcomes(slot);
        const direct = outcomes.flatMap((one) => (one.kind === 'translation' ? [one.pa] : []));
        for (const outcome of outcomes) if (outcome.kind === 'translated') expect(direct).toContain(outcome.address);
      }
    },
  );

  test.prop([program, program], { numRuns: 25 })(
    'steps back, and does not depend on what was explored',
    (explored, operations) => {
      const { world, tables } = atsWorld();
      const mark = world.store.mark();
      for (const { apply } of explored) apply(world, tables);
      world.store.rollback(mark);
      world.prod = 0;
      const other = atsWorld();
      for (const { apply } of operations) {
        apply(world, tables);
        apply(other.world, other.tables);
        for (const [slot] of slots.entries()) expect(world.see(slot)).toEqual(other.world.see(slot));
      }
    },
  );
});
