import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import { beforeMmioWrite, dma_wmb, releaseOrder } from '../../engine/memory-order/barriers.ts';
import { step, waitStep, type Step, type Task } from '../../engine/step.ts';
import type { Waitable } from '../../engine/waitable.ts';
import type { Memory } from '../platform/index.ts';
import type { Command } from './cmdq.ts';
import { consOf, isOwned, OWNED, pack, prodOf, QueueIndex, showLlq } from './cmdq-index.ts';

/** The registers of the queue, and the memory that its entries are in as devices see it. */
export interface CmdqHardware {
  /** Writes CMDQ_PROD. */
  writeProd(index: number): void;
  /** Reads CMDQ_CONS. Pure, so that software can wait for it. */
  readCons(): number;
  /** Low lane of a word of memory, for who polls it. Pure. */
  peek(pa: number): number;
}

/** How a queue is laid out. */
export interface CmdqLayout {
  /** Physical address of the first entry. */
  readonly base: number;
  readonly log2Entries: number;
  /** Entries for each word of `valid_map` (`BITS_PER_LONG`), and most commands of a batch (`CMDQ_BATCH_ENTRIES`). */
  readonly wordBits: number;
  /** CMD_SYNC is completed by a write into its own entry (`ARM_SMMU_OPT_MSIPOLL`) instead of by CMDQ_CONS. */
  readonly msiPoll: boolean;
  /** CMDQ_PROD and CMDQ_CONS at the start; a queue that was used before begins anywhere. */
  readonly start: number;
}

/** Prepares a CMD_SYNC; with an address for a queue that polls the entry itself. */
export type BuildSync = (msiAddress: number | undefined) => Command;

const COMMAND_BYTES = 16;
/** Added to the lock by who holds it exclusively (`INT_MIN`). */
const EXCLUSIVE = -0x8000_0000;

/**
 * The command queue as the kernel shares it between CPUs without a lock (`arm_smmu_cmdq_issue_cmdlist()`, Linux 5.4 and
 * later): each atomic access is a step.
 *
 * A producer takes room by a compare and exchange of PROD. The first one since PROD was last published owns what comes:
 * it closes the room that it answers for, waits until all of it is marked valid, by itself or others, and moves CMDQ_PROD.
 * A valid bit is the inverse of the wrap bit, so that marking flips it. What waits for a CMD_SYNC holds the lock shared, so
 * that the room it waits for cannot go round twice; who needs the room takes it exclusively to look at CMDQ_CONS.
 *
 * Promised to callers: all their stores are visible before their commands; the commands of one list stand together, in
 * order; a list with `sync` returns after all of it has been consumed.
 */
export class ArmSmmuCmdq {
  readonly layout: CmdqLayout;
  readonly index: QueueIndex;
  protected readonly machine: Machine;
  protected readonly memory: Memory;
  protected readonly hardware: CmdqHardware;
  protected readonly prod: Cell;
  protected readonly cons: Cell;
  /** Holders that wait for a CMD_SYNC, with `EXCLUSIVE` if somebody looks for room. */
  protected readonly lock: Cell;
  protected readonly ownerProd: Cell;
  protected readonly validMap: readonly Cell[];
  readonly #buildSync: BuildSync;

  constructor(machine: Machine, memory: Memory, hardware: CmdqHardware, layout: CmdqLayout, buildSync: BuildSync) {
    this.machine = machine;
    this.memory = memory;
    this.hardware = hardware;
    this.layout = layout;
    this.#buildSync = buildSync;
    this.index = new QueueIndex(layout.log2Entries);
    const { start, wordBits } = layout;
    const shown = (_offset: number, value: number): string => (isOwned(value) ? `${prodOf(value)}, owned` : `${value}`);
    this.prod = new Cell(machine, 'cmdq.prod', { format: shown, buffered: true });
    this.cons = new Cell(machine, 'cmdq.cons', { buffered: true });
    this.lock = new Cell(machine, 'cmdq.lock', { buffered: true });
    this.ownerProd = new Cell(machine, 'cmdq.owner_prod', { buffered: true });
    const binary = (_offset: number, value: number): string => value.toString(2).padStart(wordBits, '0');
    this.validMap = Array.from(
      { length: this.index.entries / wordBits },
      (_, word) => new Cell(machine, `cmdq.valid_map[${word}]`, { format: binary, buffered: true }),
    );
    for (const cell of [this.prod, this.cons, this.ownerProd]) cell.value = start;
    for (let at = 0; at < start; at++) this.flipValid(this.index.entry(at), 1 << (at % wordBits));
  }

  /** `arm_smmu_cmdq_issue_cmdlist()`. */
  *arm_smmu_cmdq_issue_cmdlist(commands: readonly Command[], sync: boolean): Task {
    const count = commands.length + (sync ? 1 : 0);
    // 1. Allocate some space in the queue.
    const before = yield* this.allocate(count, commands.length);
    const from = prodOf(before);
    const to = this.index.add(from, count);
    const owner = !isOwned(before);
    // 2. Write the commands; 3. mark them as valid.
    yield* this.fill(commands, sync, from, to);
    // 4. Whoever owns the head of the queue publishes it.
    if (owner) yield* this.publish(from);
    // 5. Wait.
    if (sync) yield* this.waitForSync(this.index.add(from, commands.length));
  }

  /** Batches (`arm_smmu_cmdq_batch_add`, `_submit`): full ones go without a CMD_SYNC, the last one with it. */
  *issueBatch(commands: readonly Command[]): Task {
    const { wordBits } = this.layout;
    let at = 0;
    for (; commands.length - at > wordBits; at += wordBits)
      yield* this.arm_smmu_cmdq_issue_cmdlist(commands.slice(at, at + wordBits), false);
    yield* this.submit(commands.slice(at));
  }

  /** `arm_smmu_cmdq_batch_submit()`. */
  protected *submit(commands: readonly Command[]): Task {
    yield* this.arm_smmu_cmdq_issue_cmdlist(commands, true);
  }

  /** Takes room for `count` entries. Returns PROD, flag and CONS as they were before. */
  protected *allocate(count: number, _commands: number): Task<number> {
    let llq = yield* this.readLlq();
    for (;;) {
      while (!this.index.hasSpace(prodOf(llq), consOf(llq), count))
        llq = yield* this.arm_smmu_cmdq_poll_until_not_full(llq);
      const old = yield* this.exchangeProd(llq, this.index.add(prodOf(llq), count) | OWNED);
      if (old === llq) return llq;
      llq = old;
    }
  }

  /** READ_ONCE of PROD and CONS together. */
  protected readLlq(): Step<number> {
    return step('load cmdq.llq', () => this.#llq(), showLlq);
  }

  /** cmpxchg of PROD and CONS together; returns what was there. */
  protected exchangeProd(expected: number, prod: number): Step<number> {
    return step(
      `cmpxchg cmdq.prod ${prodOf(expected)} → ${prodOf(prod)}`,
      () => {
        // What this CPU has stored to the same 64 bits comes first.
        this.cons.exchange(this.cons.value);
        const old = this.#llq();
        if (old === expected) this.prod.exchange(prod);
        return old;
      },
      showLlq,
    );
  }

  /** Steps 2 and 3: the entries, and their valid bits. */
  protected *fill(commands: readonly Command[], sync: boolean, from: number, to: number): Task {
    yield* this.writeEntries(commands, sync, from);
    if (sync) yield* this.arm_smmu_cmdq_shared_lock();
    yield* this.arm_smmu_cmdq_set_valid_map(from, to);
  }

  /** `arm_smmu_cmdq_write_entries()`, and the CMD_SYNC behind them. */
  protected *writeEntries(commands: readonly Command[], sync: boolean, from: number): Task {
    for (const [at, command] of commands.entries()) yield* this.writeEntry(this.index.add(from, at), command);
    if (!sync) return;
    const at = this.index.add(from, commands.length);
    yield* this.writeEntry(at, this.#buildSync(this.layout.msiPoll ? this.entryAddress(at) : undefined));
  }

  protected writeEntry(index: number, { label, lanes }: Command): Step<undefined> {
    return step(`entry ${this.index.entry(index)} := ${label}`, () => {
      this.memory.writeWords(this.entryAddress(index), lanes);
      return undefined;
    });
  }

  protected entryAddress(index: number): number {
    return this.layout.base + this.index.entry(index) * COMMAND_BYTES;
  }

  /** `arm_smmu_cmdq_set_valid_map()`: the `dma_wmb` in front makes the commands visible first. */
  protected *arm_smmu_cmdq_set_valid_map(from: number, to: number): Task {
    for (const [at, { entry, mask }] of this.wordsOf(from, to).entries())
      yield* step(`valid_map ^= ${mask.toString(2)} at ${entry}`, () => {
        if (at === 0) this.commandsVisible();
        this.flipValid(entry, mask);
        return undefined;
      });
  }

  /** The barrier between commands (and what they are about) and their publication. */
  protected commandsVisible(): void {
    dma_wmb(this.machine);
  }

  /** `atomic_long_xor`. */
  protected flipValid(entry: number, mask: number): void {
    const cell = this.#mapWord(entry);
    cell.exchange(cell.value ^ mask);
  }

  /** `arm_smmu_cmdq_poll_valid_map()`. */
  protected *arm_smmu_cmdq_poll_valid_map(from: number, to: number): Task {
    for (const { entry, mask, wrap } of this.wordsOf(from, to)) {
      const cell = this.#mapWord(entry);
      const wanted = this.validBits(mask, wrap);
      yield* waitStep(
        `poll valid_map ${mask.toString(2)} at ${entry}`,
        { name: 'gathered commands to be valid', ready: () => (cell.peek(0) & mask) === wanted },
        () => undefined,
      );
    }
  }

  /** How valid entries look: the inverse of the wrap bit. */
  protected validBits(mask: number, wrap: number): number {
    return wrap === 0 ? mask : 0;
  }

  /** Step 4, of the owner of the head of the queue. */
  protected *publish(from: number): Task {
    yield* this.waitForPreviousOwner(from);
    const to = yield* this.stopGathering();
    yield* this.arm_smmu_cmdq_poll_valid_map(from, to);
    yield* this.announce(to);
  }

  /** a. Wait for the previous owner to finish. */
  protected *waitForPreviousOwner(from: number): Task {
    const previous: Waitable = {
      name: 'the previous owner of the queue',
      ender: 'owner_prod',
      ready: () => this.ownerProd.peek(from) === from,
    };
    yield* waitStep(`poll owner_prod = ${from}`, previous, () => undefined);
  }

  /** b. Stop gathering work: later producers answer for themselves. Returns the end of what was gathered. */
  protected *stopGathering(): Task<number> {
    return yield* step('cmdq.prod &= ~OWNED', () => {
      const prod = prodOf(this.prod.value);
      this.prod.exchange(prod);
      return prod;
    });
  }

  /** d. Advance the hardware's index; e. tell the next owner. */
  protected *announce(to: number): Task {
    yield* this.writeProd(to);
    yield* this.passOwnership(to);
  }

  /** `writel_relaxed`: that commands were seen to be valid orders them before. */
  protected writeProd(to: number): Step<undefined> {
    return step(`CMDQ_PROD := ${to}`, () => {
      beforeMmioWrite(this.machine);
      this.hardware.writeProd(to);
      return undefined;
    });
  }

  /** `atomic_set_release`. */
  protected passOwnership(to: number): Step<undefined> {
    return step(`owner_prod := ${to}`, () => {
      this.ownerProd.release(to);
      return undefined;
    });
  }

  /** Step 5: waits for the CMD_SYNC at an index, and makes its room free if nobody else waits. */
  protected *waitForSync(at: number): Task {
    const cons = yield* this.layout.msiPoll ? this.pollUntilMsi(at) : this.pollUntilConsumed(at);
    if (yield* this.arm_smmu_cmdq_shared_tryunlock()) return;
    yield* this.storeCons(cons);
    yield* this.arm_smmu_cmdq_shared_unlock();
  }

  /** `__arm_smmu_cmdq_poll_until_consumed()`: the shadow of CONS may say it already. Returns CONS. */
  protected *pollUntilConsumed(at: number): Task<number> {
    const llq = yield* this.readLlq();
    if (this.index.isConsumed(consOf(llq), at)) return consOf(llq);
    const consumed: Waitable = {
      name: 'its CMD_SYNC',
      ender: 'the SMMU',
      ready: () => this.index.isConsumed(this.hardware.readCons(), at),
    };
    return yield* waitStep('poll CMDQ_CONS', consumed, () => this.hardware.readCons());
  }

  /** `__arm_smmu_cmdq_poll_until_msi()`: the SMMU writes zeros into the entry. Returns the index behind it. */
  protected *pollUntilMsi(at: number): Task<number> {
    const written: Waitable = {
      name: 'the MSI of its CMD_SYNC',
      ender: 'the SMMU',
      ready: () => this.hardware.peek(this.entryAddress(at)) === 0,
    };
    yield* waitStep(`poll entry ${this.index.entry(at)}`, written, () => undefined);
    return this.index.add(at, 1);
  }

  /**
   * `arm_smmu_cmdq_poll_until_not_full()`: looks at CMDQ_CONS if nobody waits for a CMD_SYNC, else waits until one who does
   * has updated the shadow. Attempts that find nothing new are left out: they end where they began.
   */
  protected *arm_smmu_cmdq_poll_until_not_full(llq: number): Task<number> {
    if (yield* this.exclusiveTrylock(llq)) {
      yield* this.storeCons(yield* this.readCons());
      yield* this.exclusiveUnlock();
    }
    return yield* this.readLlq();
  }

  /** `arm_smmu_cmdq_exclusive_trylock_irqsave()`, once it makes a difference. */
  protected exclusiveTrylock(llq: number): Step<boolean> {
    const room: Waitable = {
      name: 'room in the command queue',
      ender: 'the SMMU',
      ready: () => this.#peekLlq() !== llq || (this.lock.peek(0) === 0 && this.hardware.readCons() !== consOf(llq)),
    };
    return waitStep('cmpxchg cmdq.lock 0 → exclusive', room, () => {
      if (this.lock.value !== 0) return false;
      this.lock.exchange(EXCLUSIVE);
      return true;
    });
  }

  protected readCons(): Step<number> {
    return step('load CMDQ_CONS', () => this.hardware.readCons());
  }

  /** WRITE_ONCE of the shadow of CONS. */
  protected storeCons(cons: number): Step<undefined> {
    return step(`cmdq.cons := ${cons}`, () => {
      this.cons.value = cons;
      return undefined;
    });
  }

  /** `arm_smmu_cmdq_exclusive_unlock_irqrestore()`: only the sign bit goes. */
  protected exclusiveUnlock(): Step<undefined> {
    return step('cmdq.lock &= ~exclusive', () => {
      releaseOrder(this.machine);
      this.lock.exchange(this.lock.value & ~EXCLUSIVE);
      return undefined;
    });
  }

  /** `arm_smmu_cmdq_shared_lock()`. */
  protected *arm_smmu_cmdq_shared_lock(): Task {
    const before = yield* step('cmdq.lock++', () => {
      const value = this.lock.value;
      this.lock.exchange(value + 1);
      return value;
    });
    if (before >= 0) return;
    const free: Waitable = { name: 'cmdq.lock, held exclusively', ready: () => this.lock.peek(1) > 0 };
    yield* waitStep('poll cmdq.lock > 0', free, () => undefined);
  }

  /** `arm_smmu_cmdq_shared_tryunlock()`: false if nobody else seems to hold it. */
  protected *arm_smmu_cmdq_shared_tryunlock(): Task<boolean> {
    const holders = yield* this.lock.load();
    if (holders === 1) return false;
    yield* this.arm_smmu_cmdq_shared_unlock();
    return true;
  }

  /** `arm_smmu_cmdq_shared_unlock()`, with release semantics. */
  protected *arm_smmu_cmdq_shared_unlock(): Task {
    yield* step('cmdq.lock--', () => {
      releaseOrder(this.machine);
      this.lock.exchange(this.lock.value - 1);
      return undefined;
    });
  }

  /** The words of `valid_map` that a run of entries touches, in order. */
  protected wordsOf(from: number, to: number): { entry: number; mask: number; wrap: number }[] {
    const { wordBits } = this.layout;
    const words: { entry: number; mask: number; wrap: number }[] = [];
    for (let at = from; at !== to;) {
      const entry = this.index.entry(at);
      const first = entry % wordBits;
      const count = Math.min(wordBits - first, this.index.distance(at, to));
      words.push({ entry, mask: ((1 << count) - 1) << first, wrap: this.index.wrap(at) });
      at = this.index.add(at, count);
    }
    return words;
  }

  #mapWord(entry: number): Cell {
    return this.validMap[Math.floor(entry / this.layout.wordBits)] as Cell;
  }

  #llq(): number {
    return pack(this.prod.value, this.cons.value);
  }

  #peekLlq(): number {
    return pack(this.prod.peek(0), this.cons.peek(0));
  }
}
