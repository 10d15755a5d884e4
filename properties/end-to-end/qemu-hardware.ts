/** QEMU's SMMUv3 and two of its PCI devices as the hardware under a kernel. */
import { QemuMachine, rockerControl, rockerFill } from '../../impl/qemu/index.ts';
import { featuresFromRegisters, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { CMDQ_CONS, EVENT_RECORD, extract, QUEUE_BASE, REGISTER } from '../../model/architecture/arm/layout/index.ts';
import type { Effect } from './effects.ts';
import type { HardwareLayout, Place } from './family.ts';
import { pageBytes, type CommandTrouble, type Hardware } from './hardware.ts';
import type { Reached } from './outcome.ts';

const ramBytes = 2 ** 30;
const recordBytes = 32;
/** Byte of a page that DMA writes to. */
const accessOffset = 0x40;
/** What a DMA of four bytes leaves there. */
const written = Math.imul(rockerFill, 0x0101_0101);
/** An address in memory that no page table of these families maps. */
const beyond = 0x5800_0000;
/** Queues for `QemuMachine`, which has some of its own; the kernel sets up others. */
const unused = {
  commandQueue: { base: 0x4010_0000, log2Entries: 5 },
  eventQueue: { base: 0x4011_0000, log2Entries: 5 },
};

/** One QEMU process. Every method rejects with `QemuGone` when the process has ended. */
export class QemuHardware implements Hardware {
  readonly version: string;
  readonly features: SmmuFeatures;
  /** It looks for the second one in the wrong place (`s2-concatenated-tables` in docs/qemu-deviations.md). */
  readonly concatenatedTables = false;
  readonly privileged = true;
  readonly commandsCanWait = false;
  readonly #machine: QemuMachine;
  /** Physical pages where DMA may land: data, and the kernel's own. */
  readonly #pages: readonly number[];
  readonly #layout: HardwareLayout;
  /** What the word of each of these pages that DMA writes to holds otherwise. */
  #before: readonly number[] = [];
  /** CMDQ_PROD as last written. */
  #prod = 0;
  readonly #events = { base: 0, log2Entries: 0, cons: 0 };

  /**
   * Starts a process.
   *
   * @throws QemuMissing if there is no QEMU.
   */
  static async start(layout: HardwareLayout): Promise<QemuHardware> {
    const machine = await QemuMachine.start({ ramBytes, ...unused });
    const { IDR0, IDR1, IDR3, IDR5 } = REGISTER;
    const [idr0, idr1, idr3, idr5] = await Promise.all([
      machine.smmu.readRegister(IDR0),
      machine.smmu.readRegister(IDR1),
      machine.smmu.readRegister(IDR3),
      machine.smmu.readRegister(IDR5),
    ]);
    return new QemuHardware(machine, layout, featuresFromRegisters(idr0, idr1, idr3, idr5));
  }

  private constructor(machine: QemuMachine, layout: HardwareLayout, features: SmmuFeatures) {
    this.#machine = machine;
    this.#layout = layout;
    this.features = features;
    this.version = machine.version.text;
    const own = layout.memory.flatMap(({ base, frames }) =>
      Array.from({ length: frames }, (_, index) => base + index * pageBytes),
    );
    this.#pages = [...layout.pages, ...own];
  }

  async boot(effects: readonly Effect[]): Promise<CommandTrouble | undefined> {
    await this.#machine.reset();
    for (const { base, frames } of this.#layout.memory) this.#machine.ram.clear(base, frames * pageBytes);
    return this.apply(effects);
  }

  async apply(effects: readonly Effect[]): Promise<CommandTrouble | undefined> {
    const { ram, smmu } = this.#machine;
    let trouble: CommandTrouble | undefined;
    let queued = false;
    for (const effect of effects) {
      if (effect.kind === 'register') {
        smmu.writeRegister(effect.offset, effect.low, effect.high);
        this.#noteQueues(effect);
        queued = true;
      } else if (effect.kind === 'memory') {
        // Memory is a shared file and written at once, registers are written by messages: those must arrive first.
        if (queued) await this.#machine.settle();
        queued = false;
        ram.writeWord(effect.pa, effect.low, effect.high);
      } else if (effect.kind === 'complete') {
        queued = false;
        trouble ??= await this.#commandTrouble();
      }
    }
    if (queued) await this.#machine.settle();
    this.#before = this.#pages.map((page) => this.#read(page));
    return trouble;
  }

  async dma({ streamId, substream, iova, ats }: Place): Promise<Reached | undefined> {
    // Nothing here asks for translations; what needs that, or PASIDs, is refused before it runs.
    if (ats || substream >= 0) return undefined;
    await this.#write(streamId, iova + accessOffset);
    const event = this.#takeEvent();
    const landed =
      event === undefined ? this.#pages.findIndex((page, at) => this.#read(page) !== this.#before[at]) : -1;
    const page = this.#pages[landed];
    if (page !== undefined) {
      this.#machine.ram.write32(page + accessOffset, this.#before[landed] as number);
      // No mapping of these families leads an address to itself.
      return page === iova ? { kind: 'bypass' } : { kind: 'page', pa: page };
    }
    if (event !== undefined) return { kind: 'fault', event };
    return { kind: (await this.#bypasses(streamId)) ? 'bypass' : 'abort' };
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    await this.#machine.stop();
  }

  /** Whether accesses go untranslated: then one to an address that no table covers is seen in memory. */
  async #bypasses(streamId: number): Promise<boolean> {
    await this.#write(streamId, beyond + accessOffset);
    this.#takeEvent();
    const seen = this.#read(beyond) === written;
    if (seen) this.#machine.ram.write32(beyond + accessOffset, 0);
    return seen;
  }

  async #write(streamId: number, address: number): Promise<void> {
    const device = this.#machine.devices.find((candidate) => candidate.streamId === streamId);
    if (device?.kind !== 'rocker') throw new RangeError(`no device with StreamID ${streamId} can write on demand`);
    device.rocker.run(rockerControl.fill, address, 0);
    await this.#machine.settle();
  }

  #read(page: number): number {
    return this.#machine.ram.read32(page + accessOffset);
  }

  /** Removes what is in the event queue, and returns the number of the first event. */
  #takeEvent(): number | undefined {
    const { base, log2Entries } = this.#events;
    if (base === 0) return undefined;
    const { ram, smmu } = this.#machine;
    const size = 1 << log2Entries;
    let first: number | undefined;
    for (;;) {
      const record = base + (this.#events.cons & (size - 1)) * recordBytes;
      const event = extract(EVENT_RECORD.fields.Event, ram.read32(record), 0);
      if (event === 0) return first;
      first ??= event;
      ram.clear(record, recordBytes);
      this.#events.cons = (this.#events.cons + 1) & (2 * size - 1);
      smmu.writeRegister(REGISTER.EVENTQ_CONS, this.#events.cons);
    }
  }

  #noteQueues({ offset, low, high }: Extract<Effect, { kind: 'register' }>): void {
    if (offset === REGISTER.EVENTQ_BASE) {
      this.#events.base = extract(QUEUE_BASE.fields.ADDR, low, high ?? 0);
      this.#events.log2Entries = extract(QUEUE_BASE.fields.LOG2SIZE, low, high ?? 0);
    } else if (offset === REGISTER.EVENTQ_CONS) this.#events.cons = low;
    else if (offset === REGISTER.CMDQ_PROD) this.#prod = low;
  }

  /** QEMU consumes commands within the write of CMDQ_PROD, also those that somebody has added behind the ones waited for. */
  async #commandTrouble(): Promise<CommandTrouble | undefined> {
    const register = await this.#machine.smmu.readRegister(REGISTER.CMDQ_CONS);
    const consumed = extract(CMDQ_CONS.fields.RD, register, 0);
    if (consumed === this.#prod) return undefined;
    return { error: extract(CMDQ_CONS.fields.ERR, register, 0), consumed, prod: this.#prod };
  }
}
