import type { Machine } from '../../engine/machine.ts';
import { step, Step, type Result, type Task } from '../../engine/step.ts';
import { attachedOf, type NestedKernel } from '../../impl/kernel/nested/index.ts';
import type { SmmuPort } from '../../impl/platform/index.ts';
import { REGISTER } from '../../model/architecture/arm/layout/index.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import type { Counters } from '../family.ts';
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

const NAMES = Object.keys(WITNESSES) as (keyof typeof WITNESSES)[];
const KINDS = Object.keys(ARGUMENTS) as SmmuOperation['op'][];
/** Tallies: one for each witness, then two for each kind of operation (run, rejected). */
const FIRST_OPERATION = NAMES.length;

/** Counts what happens, outside the store: nothing that runs may depend on it. */
export class Witnesses {
  kernel: NestedKernel | undefined;
  readonly #machine: Machine;
  readonly #architecture: SmmuV3;
  /** Cells: who has commands outstanding (agent + 1), whether a VMID had an owner. */
  readonly #issuer: number;
  readonly #used: number;

  constructor(machine: Machine, architecture: SmmuV3) {
    this.#machine = machine;
    this.#architecture = architecture;
    this.#issuer = machine.store.reserve(1, 'commands outstanding');
    machine.nameAgents('owner', this.#issuer, 1);
    this.#used = machine.store.reserve(16, 'VMIDs used');
  }

  /** The set-up is done: what happens from now on counts. */
  start(): void {
    this.#machine.tallies.fill(0);
  }

  /** What was counted so far. */
  get counters(): Counters {
    const { tallies } = this.#machine;
    const of = (index: number): number => tallies[index] ?? 0;
    const operation = (index: number): { run: number; rejected: number } => ({
      run: of(FIRST_OPERATION + 2 * index),
      rejected: of(FIRST_OPERATION + 2 * index + 1),
    });
    return {
      witnesses: Object.fromEntries(NAMES.map((name, index) => [WITNESSES[name], of(index)])),
      operations: Object.fromEntries(KINDS.map((op, index) => [op, operation(index)])),
    };
  }

  /** The SMMU's registers, with an eye on CMDQ_PROD. */
  port(): SmmuPort {
    const { store } = this.#machine;
    return {
      writeRegister: (offset, low, high) => {
        if (offset === REGISTER.CMDQ_PROD) store.set(this.#issuer, this.#machine.current + 1);
        this.#architecture.writeRegister(offset, low, high);
      },
      readRegister: (offset) => this.#architecture.readRegister(offset),
      completeCommands: (prod) => {
        store.set(this.#issuer, 0);
        this.#architecture.completeCommands(prod);
      },
    };
  }

  /** Called after each step. */
  afterStep(): void {
    const issuer = this.#machine.store.get(this.#issuer);
    if (issuer !== 0 && issuer !== this.#machine.current + 1) this.#reach('syncOutstanding');
  }

  /** Called when ATS is switched. */
  ats(enabled: boolean): void {
    this.#reach(enabled ? 'atsOn' : 'atsOff');
  }

  /** Called with each event, inside the step that emits it. */
  on(event: ContractEvent): void {
    switch (event.type) {
      case 'unmap.begin':
        return this.#unmapping(event.space);
      case 'table.free':
        return this.#reach('tableFreed');
      case 'tag.assign':
        return event.kind === 'vmid' ? this.#assigned(event.tag, event.space) : undefined;
      case 'attach.begin':
        if (event.hitless) this.#reach('hitless');
        return typeof event.to === 'number' ? this.#attaching(event.stream, event.to) : undefined;
      default:
        return undefined;
    }
  }

  /** Runs an operation and counts it: run at its first step, rejected if its task says so. */
  *counted(op: SmmuOperation['op'], task: Task<boolean>): Task {
    const index = FIRST_OPERATION + 2 * KINDS.indexOf(op);
    let { value, done } = task.next();
    if (!done && value instanceof Step) {
      const first = value;
      const run = (): Result => {
        this.#machine.tally(index);
        return first.run();
      };
      value = new Step(first.label, run, first.wait, () => undefined);
    }
    while (!done) {
      const result: unknown = yield value as Step;
      ({ value, done } = task.next(result as never));
    }
    if (value === false)
      yield* step('rejected: it does not apply', () => {
        this.#machine.tally(index + 1);
        return undefined;
      });
  }

  /** A space loses pages: who may be using it. */
  #unmapping(space: number): void {
    const { kernel } = this;
    if (kernel === undefined) return;
    const nested = kernel.devices.filter((device) => attachedOf(device.attached.value).kind === 'nested');
    const reaching = nested.some(({ index }) => this.#reaches(index));
    if (space === kernel.nesting.parentPlace && nested.length === 2) this.#reach('twoNested');
    if (space === kernel.nesting.parentPlace && reaching) this.#reach('stage2UnmapNested');
    if (space >= kernel.nesting.firstGuestSpace && reaching) this.#reach('guestUnmapNested');
    const { universe } = this.#architecture;
    const cached = universe.slots.some((_slot, slot) =>
      this.#architecture.outcomes(slot).some(({ kind }) => kind === 'translated'),
    );
    if (cached) this.#reach('atcHeld');
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
    this.#reach(attachedOf(device.attached.value).kind === 'nested' ? 'guestContext' : 'guestAttach');
  }

  #assigned(vmid: number, space: number): void {
    const { store } = this.#machine;
    const owner = store.get(this.#used + vmid);
    if (owner !== 0 && owner !== space + 1) this.#reach('vmidReused');
    store.set(this.#used + vmid, space + 1);
  }

  #reach(name: keyof typeof WITNESSES): void {
    this.#machine.tally(NAMES.indexOf(name));
  }
}
