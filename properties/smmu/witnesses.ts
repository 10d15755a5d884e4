import type { Machine } from '../../engine/machine.ts';
import type { Store } from '../../engine/store.ts';
import { attachedOf, type NestedKernel } from '../../impl/kernel/nested/index.ts';
import type { SmmuPort } from '../../impl/platform/index.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { kindsOf } from '../flat-operations.ts';
import { OutstandingCommands } from '../outstanding-commands.ts';
import { Tallies } from '../tallies.ts';
import { ARGUMENTS, type SmmuOperation } from './operations.ts';

/** What a fuzz run must sometimes reach; without it the checks may hold for want of anything to see. */
export const WITNESSES = {
  stage2UnmapNested: 'stage 2 page unmapped while a nested device reaches memory through it',
  guestUnmapNested: 'guest page unmapped while a nested device reaches memory through it',
  atcHeld: 'page unmapped while a device cache holds it',
  syncOutstanding: 'CMD_SYNC outstanding at a switch',
  hitless: 'device changed over without being refused meanwhile',
  twoNested: 'stage 2 page unmapped while two devices are nested',
  tableFreed: 'table page freed',
  vmidReused: 'VMID given to a second owner',
  atsOn: 'ATS enabled',
  atsOff: 'ATS disabled',
  guestAttach: 'guest attached a device to stage 1 of its own',
  guestContext: 'guest changed a context descriptor in use',
} as const;

/** Counts what happens. */
export class Witnesses extends Tallies<(typeof WITNESSES)[keyof typeof WITNESSES], SmmuOperation['op']> {
  kernel: NestedKernel | undefined;
  readonly #store: Store;
  readonly #architecture: SmmuV3;
  readonly #outstanding: OutstandingCommands;
  /** Cells: whether a VMID had an owner. */
  readonly #used: number;

  constructor(machine: Machine, architecture: SmmuV3) {
    super(machine, Object.values(WITNESSES), kindsOf(ARGUMENTS));
    this.#store = machine.store;
    this.#architecture = architecture;
    this.#outstanding = new OutstandingCommands(machine);
    this.#used = machine.store.reserve(16, 'VMIDs used');
  }

  /** The SMMU's registers, with an eye on commands. */
  port(): SmmuPort {
    return this.#outstanding.port(this.#architecture);
  }

  /** Called after each step. */
  afterStep(): void {
    if (this.#outstanding.ofAnother) this.noted(WITNESSES.syncOutstanding);
  }

  /** Called when ATS is switched. */
  ats(enabled: boolean): void {
    this.noted(enabled ? WITNESSES.atsOn : WITNESSES.atsOff);
  }

  /** Called with each event, inside the step that emits it. */
  on(event: ContractEvent): void {
    switch (event.type) {
      case 'unmap.begin':
        return this.#unmapping(event.space);
      case 'table.free':
        return this.noted(WITNESSES.tableFreed);
      case 'tag.assign':
        return event.kind === 'vmid' ? this.#assigned(event.tag, event.space) : undefined;
      case 'attach.begin':
        if (event.hitless) this.noted(WITNESSES.hitless);
        return typeof event.to === 'number' ? this.#attaching(event.stream, event.to) : undefined;
      default:
        return undefined;
    }
  }

  /** A space loses pages: who may be using it. */
  #unmapping(space: number): void {
    const { kernel } = this;
    if (kernel === undefined) return;
    const nested = kernel.devices.filter((device) => attachedOf(device.attached.value).kind === 'nested');
    const reaching = nested.some(({ index }) => this.#reaches(index));
    if (space === kernel.nesting.parentPlace && nested.length === 2) this.noted(WITNESSES.twoNested);
    if (space === kernel.nesting.parentPlace && reaching) this.noted(WITNESSES.stage2UnmapNested);
    if (space >= kernel.nesting.firstGuestSpace && reaching) this.noted(WITNESSES.guestUnmapNested);
    const { universe } = this.#architecture;
    const cached = universe.slots.some((_slot, slot) =>
      this.#architecture.outcomes(slot).some(({ kind }) => kind === 'translated'),
    );
    if (cached) this.noted(WITNESSES.atcHeld);
  }

  /** Whether a device may reach memory by a virtual address. */
  #reaches(device: number): boolean {
    const { streamIds, slots } = this.#architecture.universe;
    return slots.some(
      ({ streamId }, slot) =>
        streamId === streamIds[device] && this.#architecture.outcomes(slot).some(({ kind }) => kind === 'translation'),
    );
  }

  #attaching(stream: number, space: number): void {
    const { kernel } = this;
    if (kernel === undefined || space < kernel.nesting.firstGuestSpace) return;
    const device = kernel.devices.find(({ master }) => master.streamId === stream);
    if (device === undefined) return;
    const { kind } = attachedOf(device.attached.value);
    this.noted(kind === 'nested' ? WITNESSES.guestContext : WITNESSES.guestAttach);
  }

  #assigned(vmid: number, space: number): void {
    const store = this.#store;
    const owner = store.get(this.#used + vmid);
    if (owner !== 0 && owner !== space + 1) this.noted(WITNESSES.vmidReused);
    store.set(this.#used + vmid, space + 1);
  }
}
