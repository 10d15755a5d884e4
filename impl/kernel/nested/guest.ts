import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  COMMAND_ATC_INV,
  COMMAND_CFGI,
  COMMAND_TLBI,
  encode,
  OPCODE,
} from '../../../model/architecture/arm/layout/index.ts';
import type { Command } from '../cmdq.ts';
import { arm_smmu_get_cd_used } from '../config-entry.ts';
import { ArmSmmuConfigWriter, type EntryRef } from '../config-writer.ts';
import { hex } from '../format.ts';
import { ArmLpaeIoPgtable } from '../io-pgtable.ts';
import type { Space } from '../objects.ts';
import type { TlbRange } from '../tlb.ts';
import type { NestedKernel } from './kernel.ts';
import type { Device } from './objects.ts';
import { virtualSte, type VirtualConfig } from './ste.ts';

const ENTRY_BYTES = 64;
/** Where in the guest's page of configuration its stream table begins. */
const STREAM_TABLE = 0x800;
/** `Size` of CMD_ATC_INV that means everything. */
const ALL_SIZE = 52;

/** An address space of a guest. Its tables are in guest memory and hold IPAs. */
export interface GuestSpace extends Space {
  readonly index: number;
  /** Bit set of the devices whose caches must hear of changes. */
  readonly devices: Cell;
}

/** A guest's page tables: the kernel's own code, with intermediate physical addresses for physical ones. */
export class GuestPgtable extends ArmLpaeIoPgtable {
  readonly #nesting: NestedKernel;

  constructor(kernel: NestedKernel) {
    super(kernel);
    this.#nesting = kernel;
  }

  override tlbInvRange(space: Space, range: TlbRange): Task {
    return this.#nesting.guest.invalidateRange(space as GuestSpace, range);
  }

  override entryAt(space: Space, table: number, iova: number, level: number): number {
    return this.#nesting.guest.paOf(super.entryAt(space, table, iova, level));
  }

  override allocPage(): number {
    const { failNth } = this.kernel;
    const ipa = failNth.shouldFail() ? 0 : this.#nesting.guest.allocPage();
    if (ipa !== 0) this.kernel.emit({ type: 'table.alloc', pa: this.#nesting.guest.paOf(ipa), size: this.pageBytes });
    return ipa;
  }

  override releasePage(ipa: number): void {
    this.kernel.emit({ type: 'table.free', pa: this.#nesting.guest.paOf(ipa), size: this.pageBytes });
    this.#nesting.guest.freePage(ipa);
  }
}

/** A guest's context descriptors: written as the kernel writes its own, but invalidated through the hypervisor. */
export class GuestConfigWriter extends ArmSmmuConfigWriter {
  readonly #nesting: NestedKernel;

  constructor(kernel: NestedKernel) {
    super(kernel);
    this.#nesting = kernel;
  }

  /** The context descriptor of a guest's device. */
  vcd(device: Device): EntryRef {
    const name = `vCD(v${device.master.name})`;
    const pa = this.#nesting.guest.paOf(this.#nesting.guest.contextDescriptor(device));
    const fields = { Opcode: OPCODE.CFGI_CD, StreamID: device.index, Leaf: 1 };
    return { name, pa, used: arm_smmu_get_cd_used, invalidate: { label: '', lanes: encode(COMMAND_CFGI, fields) } };
  }

  override *arm_smmu_sync_entry(entry: EntryRef): Task {
    const device = this.#nesting.devices.find((each) => entry.name === `vCD(v${each.master.name})`);
    if (device !== undefined) yield* this.#nesting.guest.invalidateCd(device);
  }
}

/**
 * Guest software: the same driver as the hypervisor's, one level up. Its tables and context descriptors are in guest
 * memory, which the hypervisor maps by stage 2; its commands go through the viommu, its stream table entries too.
 */
export class GuestSoftware {
  protected readonly kernel: NestedKernel;
  readonly spaces: readonly GuestSpace[];
  readonly pgtable: GuestPgtable;
  readonly writer: GuestConfigWriter;
  /** Bit set of the guest's pages in use. */
  readonly #used: Cell;

  constructor(kernel: NestedKernel) {
    const { machine, nesting } = kernel;
    this.kernel = kernel;
    this.#used = new Cell(machine, 'guest pages', { internal: true });
    this.pgtable = new GuestPgtable(kernel);
    this.writer = new GuestConfigWriter(kernel);
    this.spaces = Array.from({ length: nesting.guestSpaces }, (_, index) => {
      const name = `guest${index}`;
      const cell = (field: string): Cell => new Cell(machine, `${name}.${field}`);
      const pgd = new Cell(machine, `${name}.pgd`, { format: (_offset, value) => hex(value >>> 0) });
      return { name, index, id: cell('id'), pgd, asid: cell('asid'), invs: cell('invs'), devices: cell('devices') };
    });
  }

  /** Set-up: the page of configuration, an empty table for each space, and every device leads to the first one. */
  boot(): void {
    this.allocPage();
    for (const space of this.spaces) {
      space.id.value = this.kernel.nesting.firstGuestSpace + space.index;
      space.asid.value = space.index + 1;
      space.pgd.value = this.pgtable.allocPage();
    }
    const first = this.space(0);
    for (const device of this.kernel.devices)
      this.kernel.memory.writeWords(
        this.paOf(this.contextDescriptor(device)),
        this.writer.spaceCd(first, first.asid.value, this.privateAsids).target([]),
      );
  }

  /** Whether the guest's ASIDs are kept out of broadcast TLB maintenance (`CD.ASET`). */
  get privateAsids(): boolean {
    return this.kernel.nesting.guestBtm !== true;
  }

  /** The space that a device's context descriptor leads to. Inside a step. */
  spaceOf(device: Device): GuestSpace {
    return this.space(device.guestSpace.value);
  }

  space(index: number): GuestSpace {
    return this.spaces[index] as GuestSpace;
  }

  /** Physical address of an IPA of guest memory: where the hypervisor keeps it, for good. */
  paOf(ipa: number): number {
    return ipa + this.kernel.nesting.guestMemory.base - this.kernel.nesting.guestIpa;
  }

  /** IPA of a device's context descriptor. */
  contextDescriptor(device: Device): number {
    return this.kernel.nesting.guestIpa + device.index * ENTRY_BYTES;
  }

  /** Physical address of a device's entry in the guest's stream table. */
  vste(device: Device): number {
    return this.paOf(this.kernel.nesting.guestIpa + STREAM_TABLE + device.index * ENTRY_BYTES);
  }

  /** Writes the two words of a stream table entry that say anything, one after the other, word 1 first. */
  *writeVste(device: Device, config: VirtualConfig, ats: boolean): Task {
    const lanes = virtualSte(config, this.contextDescriptor(device), ats);
    for (const word of [1, 0])
      yield* step(`vSTE(v${device.master.name})[${word}] := ${config}`, () => {
        const [low, high] = [lanes[2 * word] as number, lanes[2 * word + 1] as number];
        this.kernel.memory.writeWord(this.vste(device) + 8 * word, low, high);
        return undefined;
      });
  }

  /** The guest's `arm_smmu_tlb_inv_range_domain()`: TLBs, CMD_SYNC, then the caches of its devices, CMD_SYNC. */
  *invalidateRange(space: GuestSpace, range: TlbRange): Task {
    if (range.size === 0) return;
    const asid = yield* space.asid.load();
    yield* this.submit(this.kernel.tlb.arm_smmu_tlb_inv_range(asid, range));
    yield* this.invalidateAtcs(space);
  }

  /** CMD_ATC_INV of everything to each device of a space that has ATS. */
  *invalidateAtcs(space: GuestSpace): Task {
    if (this.kernel.nesting.ats.every((has) => !has)) return;
    const devices = yield* space.devices.load();
    for (const device of this.kernel.devices)
      if (((devices >>> device.index) & 1) === 1 && this.kernel.nesting.ats[device.index] === true)
        yield* this.invalidateAtc(device);
  }

  /** CMD_ATC_INV of everything to a device. */
  *invalidateAtc(device: Device): Task {
    const vsid = yield* this.loadVsid(device);
    if (vsid < 0) return;
    const lanes = encode(COMMAND_ATC_INV, { Opcode: OPCODE.ATC_INV, StreamID: vsid, Size: ALL_SIZE });
    yield* this.submit([{ label: `CMD_ATC_INV vSID ${vsid}, everything`, lanes }]);
  }

  /** CMD_CFGI_CD of a device. */
  *invalidateCd(device: Device): Task {
    const vsid = yield* this.loadVsid(device);
    if (vsid < 0) return;
    const lanes = encode(COMMAND_CFGI, { Opcode: OPCODE.CFGI_CD, StreamID: vsid, Leaf: 1 });
    yield* this.submit([{ label: `CMD_CFGI_CD vSID ${vsid}, 0`, lanes }]);
  }

  /** CMD_TLBI_NSNH_ALL: what a guest takes for everything. */
  *invalidateAll(): Task {
    const lanes = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NSNH_ALL });
    yield* this.submit([{ label: 'CMD_TLBI_NSNH_ALL', lanes }]);
  }

  /** Sends commands; a refused one is skipped, as a driver does that reads CERROR_ILL (`arm_smmu_cmdq_skip_err`). */
  protected *submit(commands: readonly Command[]): Task {
    let rest = commands;
    while (rest.length > 0) rest = rest.slice((yield* this.kernel.viommu.cache_invalidate(rest)) + 1);
  }

  /** The virtual StreamID of a device, as firmware tables tell the guest; -1 if it has none. */
  protected loadVsid(device: Device): Step<number> {
    return step(
      `vSID of v${device.master.name}`,
      () => device.plugged.value - 1,
      (vsid) => (vsid < 0 ? 'none' : String(vsid)),
    );
  }

  /** A page of guest memory, zeroed, inside a step: its IPA, 0 if there is none. */
  allocPage(): number {
    const { guestMemory, guestIpa } = this.kernel.nesting;
    for (let page = 0; page < guestMemory.frames; page++) {
      if (((this.#used.value >>> page) & 1) === 1) continue;
      this.#used.value |= 1 << page;
      const ipa = guestIpa + page * this.pgtable.pageBytes;
      this.kernel.memory.clear(this.paOf(ipa), this.pgtable.pageBytes);
      return ipa;
    }
    return 0;
  }

  /** Gives a page of guest memory back to the guest's allocator, inside a step. */
  freePage(ipa: number): void {
    this.#used.value &= ~(1 << ((ipa - this.kernel.nesting.guestIpa) / this.pgtable.pageBytes));
  }
}
