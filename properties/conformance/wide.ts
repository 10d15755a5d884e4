/**
 * What the programs of the conformance check do not reach on any emulated device, on ours: SubstreamIDs and S1DSS, CD
 * tables of two levels, privileged accesses and instruction fetches, overrides, ATS requests and devices with ATCs. Random
 * structures, commands and accesses over a small world; every answer is compared with what the architecture permits.
 */
import { Random } from '../../engine/random.ts';
import { Store } from '../../engine/store.ts';
import { Endpoint, type DeviceAnswer, type SmmuV3Device } from '../../impl/devices/smmuv3/index.ts';
import type { TranslationCompletion } from '../../model/architecture/arm/ats/response.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import {
  CMDQ_CONS,
  COMMAND_ATC_INV,
  COMMAND_CFGI,
  COMMAND_TLBI,
  decode,
  encode,
  EVENT_RECORD,
  EVENTQ_INDEX,
  extract,
  OPCODE,
  REGISTER,
} from '../../model/architecture/arm/layout/index.ts';
import type { Access } from '../../model/architecture/arm/outcomes/event-record.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { Slot } from '../../model/architecture/arm/universe.ts';
import { BuiltinMemory, type MakeDevice } from './builtin-device.ts';
import { cacheSwarm } from './caches.ts';
import { percent, pick, weighted } from './choices.ts';
import { syncCommand } from './commands.ts';
import { matchesAnswer, resultsOf } from './moments.ts';
import {
  cdIndices,
  cdOf,
  invalidationOf,
  l1CdOf,
  linkOf,
  pageOf,
  pages,
  place,
  stageTwoOf,
  steOf,
  streams,
  substreams,
  type Structure,
} from './wide-structures.ts';
import { accessOffset } from './world.ts';

/** What came of a run. */
export interface WideResult {
  readonly operations: number;
  /** How often each kind of answer was given. */
  readonly answers: ReadonlyMap<string, number>;
  /** The first answer that is not permitted, with the operations that led to it. */
  readonly difference: { answer: string; permitted: readonly string[]; operations: readonly string[] } | undefined;
}

const queueLog2 = 6;

/** Everything that the model has, with substreams and ATS. */
export const wideFeatures: SmmuFeatures = { ...FULL_FEATURES, ats: true, stallModel: 1, bbml: 2 };

/** Runs a seed. */
export const runWide = (seed: number, make: MakeDevice, steps = 120, features = wideFeatures): WideResult => {
  const run = new Wide(new Random(seed), make, features);
  run.execute(steps);
  return run.result();
};

/** A place and what is done to it. */
interface Chosen {
  readonly index: number;
  readonly slot: Slot;
  readonly access: Access;
}

class Wide {
  readonly #random: Random;
  readonly #memory = new BuiltinMemory(0, 2 ** 33);
  readonly #device: SmmuV3Device;
  readonly #model: SmmuV3;
  readonly #endpoints: ReadonlyMap<number, Endpoint>;
  /** The same places without and with ATS. */
  readonly #slots: readonly Slot[];
  readonly #log: string[] = [];
  readonly #answers = new Map<string, number>();
  #prod = 0;
  #events = 0;
  #near: Chosen | undefined;
  #difference: WideResult['difference'];

  constructor(random: Random, make: MakeDevice, features: SmmuFeatures) {
    this.#random = random;
    const plain = streams.flatMap((streamId) =>
      substreams.flatMap((substream) => pages.map((va) => ({ streamId, substream, va }))),
    );
    this.#slots = [...plain, ...plain.map((slot) => ({ ...slot, ats: true as const }))];
    this.#device = make(this.#memory, { features, caches: pick(random, cacheSwarm) });
    this.#endpoints = new Map(streams.map((streamId) => [streamId, new Endpoint(this.#device, streamId)]));
    this.#model = new SmmuV3(new Store(), this.#memory, features, { slots: this.#slots });
    this.#setUp();
  }

  execute(steps: number): void {
    for (let step = 0; step < steps && this.#difference === undefined; step++) {
      if (step % 12 === 11) this.#settle();
      this.#operate();
    }
  }

  /** Ends what is stale now and then: else soon everything is permitted, and the model has no room for it. */
  #settle(): void {
    this.#command(encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NSNH_ALL }), true);
    for (const StreamID of streams) {
      this.#command(encode(COMMAND_CFGI, { Opcode: OPCODE.CFGI_STE, StreamID }), true);
      this.#command(encode(COMMAND_ATC_INV, { Opcode: OPCODE.ATC_INV, StreamID, Size: 52 }), true);
    }
  }

  result(): WideResult {
    return { operations: this.#log.length, answers: this.#answers, difference: this.#difference };
  }

  #setUp(): void {
    this.#register(REGISTER.STRTAB_BASE, place.streamTable, 0);
    this.#register(REGISTER.STRTAB_BASE_CFG, 4);
    this.#register(REGISTER.CMDQ_BASE, place.commands | queueLog2, 0);
    this.#register(REGISTER.EVENTQ_BASE, place.events | queueLog2, 0);
    this.#register(REGISTER.CR2, 2);
    this.#register(REGISTER.CR0, 0b1_1101);
    const random = this.#random;
    for (const streamId of streams) {
      for (const index of cdIndices) this.#write('CD', cdOf(random, streamId, index));
      for (const index of [0, 1]) this.#write('L1CD', l1CdOf(random, streamId, index));
      this.#write('STE', steOf(random, streamId));
    }
    for (const table of [0, 1]) {
      const root = place.tables + 0x1_0000 * table;
      this.#write('table', [root, [(root + 0x1000) | 3, 0]]);
      for (const index of [0, 1]) this.#write('table', linkOf(random, table, index));
      for (const va of pages) this.#write('page', pageOf(random, table, va));
      for (const index of [0, 1]) this.#write('stage 2', stageTwoOf(random, table, index));
    }
    this.#command(encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NSNH_ALL }), true);
  }

  #operate(): void {
    const random = this.#random;
    const stream = pick(random, streams);
    const table = random.below(2);
    weighted<() => void>(random, [
      [5, () => this.#changeStream(stream)],
      [3, () => this.#write('CD', cdOf(random, stream, pick(random, cdIndices)))],
      [1, () => this.#write('L1CD', l1CdOf(random, stream, random.below(2)))],
      [6, () => this.#changePage(table)],
      [2, () => this.#write('table', linkOf(random, table, random.below(2)))],
      [2, () => this.#write('stage 2', stageTwoOf(random, table, random.below(2)))],
      [1, () => this.#register(REGISTER.CR0, percent(random, 80) ? 0b1_1101 : 0b0_1101)],
      [12, () => this.#command(invalidationOf(random, stream), percent(random, 80))],
      [14, () => this.#access()],
      [8, () => this.#request()],
      [8, () => this.#byAtc()],
    ])();
  }

  /** Between two accesses to one place, often: what TLBs hold of the old stages must not serve the new ones. */
  #changeStream(StreamID: number): void {
    const random = this.#random;
    const near = percent(random, 60) ? this.#nearby(StreamID) : undefined;
    if (near !== undefined) this.#access(near);
    this.#write('STE', steOf(random, StreamID));
    if (near === undefined) return;
    this.#command(encode(COMMAND_CFGI, { Opcode: OPCODE.CFGI_STE, StreamID, Leaf: random.below(2) }), true);
    this.#access(near);
    if (percent(random, 50)) this.#changePageOf(near, random.below(2));
  }

  /** Between two accesses to one place, often, and with what invalidates it. */
  #changePage(table: number): void {
    const random = this.#random;
    if (percent(random, 40)) return this.#write('page', pageOf(random, table, pick(random, pages)));
    const near = this.#nearby(pick(random, streams));
    this.#access(near);
    this.#changePageOf(near, table);
  }

  /** In both tables, for the one that is used is not known here. */
  #changePageOf(near: Chosen, table: number): void {
    const random = this.#random;
    const { va } = near.slot;
    for (const each of [table, 1 - table]) this.#write('page', pageOf(random, each, va));
    for (const VMID of [1, 2])
      this.#command(encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VAA, VMID, Address: va, Leaf: 1 }), VMID === 2);
    this.#access(near);
  }

  /** An access of a stream, often the last one that something was done about. */
  #nearby(stream: number): Chosen {
    const known = this.#near?.slot.streamId === stream && percent(this.#random, 70) ? this.#near : undefined;
    this.#near = known ?? this.#choose(false, stream);
    return this.#near;
  }

  #access({ index, slot, access } = this.#choose(false)): void {
    const { streamId, substream, va } = slot;
    const request = { streamId, substream, low: va + accessOffset, high: 0 };
    const answer = this.#device.translate({ ...request, ...access, kind: 'untranslated' });
    this.#compare(`access ${JSON.stringify({ ...slot, ...access })}`, index, access, answer);
  }

  /** An access by an endpoint with an ATC: what it does without a grant is its own affair. */
  #byAtc(): void {
    const { index, slot, access } = this.#choose(true);
    const { substream, va } = slot;
    const endpoint = this.#endpoints.get(slot.streamId) as Endpoint;
    const answer = endpoint.access({ substream, low: va + accessOffset, high: 0, ...access });
    const granted = ['memory', 'fault', 'abort'].includes(answer.kind);
    if (granted) this.#compare(`by ATC ${JSON.stringify({ ...slot, ...access })}`, index, access, answer);
    else this.#takeEvents();
  }

  #request(): void {
    const { index, slot, access } = this.#choose(true);
    const { streamId, substream, va } = slot;
    const answer = this.#device.translate({ streamId, substream, low: va, high: 0, ...access, kind: 'ats' });
    const permitted = this.#model.ats?.completions(index, access) ?? [];
    const records = this.#takeEvents().length;
    this.#say(`request ${JSON.stringify({ ...slot, ...access })}`, answer.kind);
    if (!permitted.some((one) => matchesCompletion(one, answer, va, records)))
      this.#differ(`${answer.kind} ${JSON.stringify(answer.completion)} ${records} records`, permitted);
  }

  #choose(ats: boolean, stream?: number): Chosen {
    const random = this.#random;
    const half = this.#slots.length / 2;
    const each = half / streams.length;
    const first = stream === undefined ? 0 : each * streams.findIndex((one) => one === stream);
    const index = first + random.below(stream === undefined ? half : each) + (ats ? half : 0);
    const slot = this.#slots[index] as Slot;
    const write = percent(random, 40);
    const instruction = !write && slot.substream >= 0 && percent(random, 40);
    return { index, slot, access: { write, instruction, privileged: slot.substream >= 0 && percent(random, 40) } };
  }

  #compare(what: string, slot: number, access: Access, answer: DeviceAnswer): void {
    const records = this.#takeEvents();
    const permitted = resultsOf(this.#model, slot, access);
    this.#say(what, answer.kind);
    if (permitted.some((result) => matchesAnswer(result, answer, records))) return;
    const { kind, pa, event, aborted } = answer;
    this.#differ(`${kind} 0x${pa.toString(16)} event ${event} ${aborted} ${JSON.stringify(records)}`, permitted);
  }

  #differ(answer: string, permitted: readonly unknown[]): void {
    this.#difference = { answer, permitted: permitted.map((one) => JSON.stringify(one)), operations: this.#log };
  }

  #say(what: string, answer: string): void {
    this.#log.push(`${what}: ${answer}`);
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
  }

  #register(offset: number, low: number, high?: number): void {
    this.#device.writeRegister(offset, low, high);
    this.#model.writeRegister(offset, low, high);
    this.#log.push(`register 0x${offset.toString(16)} := 0x${low.toString(16)}`);
  }

  #word(pa: number, low: number, high: number): void {
    this.#memory.store(pa, low, high);
    this.#model.memoryWritten(pa);
    this.#log.push(`word 0x${pa.toString(16)} := 0x${(high >>> 0).toString(16)}_${(low >>> 0).toString(16)}`);
  }

  /** The words of a structure, the first one last. */
  #write(what: string, [pa, lanes]: Structure): void {
    for (let at = lanes.length - 2; at >= 0; at -= 2)
      this.#word(pa + 4 * at, lanes[at] as number, lanes[at + 1] as number);
    this.#log.push(`${what} at 0x${pa.toString(16)}`);
  }

  #command(lanes: readonly number[], sync: boolean): void {
    for (const command of sync ? [lanes, syncCommand()] : [lanes]) {
      const at = place.commands + 16 * (this.#prod % 2 ** queueLog2);
      this.#memory.store(at, command[0] as number, command[1] as number);
      this.#memory.store(at + 8, command[2] as number, command[3] as number);
      this.#prod = (this.#prod + 1) % 2 ** (queueLog2 + 1);
    }
    this.#device.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
    this.#model.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
    this.#model.completeCommands(this.#prod);
    this.#log.push(`command ${lanes.map((lane) => (lane >>> 0).toString(16)).join(' ')}${sync ? ' and CMD_SYNC' : ''}`);
    const cons = extract(CMDQ_CONS.fields.RD, this.#device.readRegister(REGISTER.CMDQ_CONS), 0);
    if (cons !== this.#prod) this.#differ('the command queue has stopped', []);
  }

  #takeEvents(): Record<string, number>[] {
    const prod = extract(EVENTQ_INDEX.fields.INDEX, this.#device.readRegister(REGISTER.EVENTQ_PROD), 0);
    const records: Record<string, number>[] = [];
    while (this.#events !== prod) {
      const at = place.events + 32 * (this.#events % 2 ** queueLog2);
      const lanes = [0, 8, 16, 24].flatMap((word) => [this.#memory.low(at + word), this.#memory.high(at + word)]);
      records.push(decode(EVENT_RECORD, lanes));
      this.#events = (this.#events + 1) % 2 ** (queueLog2 + 1);
    }
    if (records.length > 0) this.#device.writeRegister(REGISTER.EVENTQ_CONS, this.#events);
    return records;
  }
}

/** Whether the answer to a Translation Request is a permitted completion. */
const matchesCompletion = (one: TranslationCompletion, answer: DeviceAnswer, va: number, records: number): boolean => {
  const { completion } = answer;
  switch (one.kind) {
    case 'unpredictable':
      return true;
    case 'aborted':
      return answer.kind === 'completer-abort' && records === 0;
    case 'unsupported':
      return answer.kind === 'unsupported' && records === (one.record === undefined ? 0 : 1);
    case 'denied':
      return answer.kind === 'completion' && !completion.read && !completion.write && !completion.execute;
    case 'granted':
      return (
        answer.kind === 'completion' &&
        completion.address + (va % 2 ** completion.sizeLog2) === one.address &&
        completion.read === one.read &&
        completion.execute === one.execute &&
        (one.write === 'maybe' || completion.write === one.write)
      );
  }
};
