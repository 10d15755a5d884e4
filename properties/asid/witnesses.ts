import type { Task } from '../../engine/step.ts';
import type { Machine } from '../../engine/machine.ts';
import type { Kernel } from '../../impl/kernel/index.ts';
import type { SmmuPort } from '../../impl/platform/index.ts';
import { REGISTER } from '../../model/architecture/arm/layout/index.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { counted } from '../counted.ts';
import type { Counters } from '../family.ts';
import { ARGUMENTS, type AsidOperation } from './operations.ts';

/** What a fuzz run must sometimes reach; without it the checks may hold for want of anything to see. */
export const WITNESSES = {
  reassigned: 'ASID reassigned while its domain is attached and mapped',
  syncOutstanding: 'CMD_SYNC outstanding at a switch',
  twoMasters: 'ASID reassigned with two masters',
  tableFreed: 'table page freed',
  unmapDuringTransition: 'unmap begun while a domain has two ASIDs',
  asidReused: 'ASID given to a second owner',
  lastUnbind: 'shared ASID given back',
  allocationFailed: 'allocation failed',
} as const;

const NAMES = Object.keys(WITNESSES) as (keyof typeof WITNESSES)[];
const KINDS = Object.keys(ARGUMENTS) as AsidOperation['op'][];
/** Tallies: one for each witness, then two for each kind of operation (run, rejected). */
const FIRST_OPERATION = NAMES.length;

/**
 * Counts what happens, outside the store: nothing that runs may depend on it, and a search counts each transition that it
 * makes. `counted` adds to each operation whether it applied.
 */
export class Witnesses {
  kernel: Kernel | undefined;
  readonly #machine: Machine;
  readonly #architecture: SmmuV3;
  /** Cells: who has commands outstanding (agent + 1), how many pages each space maps, whether an ASID had an owner. */
  readonly #issuer: number;
  readonly #mapped: number;
  readonly #used: number;
  constructor(machine: Machine, architecture: SmmuV3) {
    this.#machine = machine;
    this.#architecture = architecture;
    this.#issuer = machine.store.reserve(1, 'commands outstanding');
    machine.nameAgents('owner', this.#issuer, 1);
    this.#mapped = machine.store.reserve(16, 'pages mapped');
    this.#used = machine.store.reserve(32, 'ASIDs used');
  }

  /** The set-up is done: what happens from now on counts. */
  start(): void {
    this.#machine.tallies.fill(0);
  }

  /** What was counted so far. */
  get counters(): Counters {
    const { tallies } = this.#machine;
    const of = (index: number): number => tallies[index] ?? 0;
    return {
      witnesses: Object.fromEntries(NAMES.map((name, index) => [WITNESSES[name], of(index)])),
      operations: Object.fromEntries(
        KINDS.map((op, index) => [
          op,
          { run: of(FIRST_OPERATION + 2 * index), rejected: of(FIRST_OPERATION + 2 * index + 1) },
        ]),
      ),
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

  /** Called when an allocation fails on demand. */
  allocationFailed(): void {
    this.#reach('allocationFailed');
  }

  /** Called with each event, inside the step that emits it. */
  on(event: ContractEvent): void {
    const { store } = this.#machine;
    switch (event.type) {
      case 'map.end':
        store.set(this.#mapped + event.space, store.get(this.#mapped + event.space) + 1);
        return;
      case 'unmap.begin':
        if (this.#domainWithTwoAsids(event.space)) this.#reach('unmapDuringTransition');
        return;
      case 'unmap.end':
        store.set(this.#mapped + event.space, Math.max(0, store.get(this.#mapped + event.space) - 1));
        return;
      case 'table.free':
        this.#reach('tableFreed');
        return;
      case 'tag.assign':
        this.#assigned(event.tag, event.space);
        return;
      case 'tag.free':
        if (store.get(this.#used + event.tag) >= this.#domains + 1) this.#reach('lastUnbind');
    }
  }

  /** Runs an operation and counts it: run at its first step, rejected if its task says so. */
  counted(op: AsidOperation['op'], task: Task<boolean>): Task {
    return counted(this.#machine, FIRST_OPERATION + 2 * KINDS.indexOf(op), task);
  }

  get #domains(): number {
    return this.kernel?.config.domains ?? 0;
  }

  #assigned(asid: number, space: number): void {
    const { store } = this.#machine;
    const owner = store.get(this.#used + asid);
    if (owner !== 0 && owner !== space + 1) this.#reach('asidReused');
    store.set(this.#used + asid, space + 1);
    const domain = this.#domainOf(space);
    if (domain === undefined || domain.devices.value === 0) return;
    if (store.get(this.#mapped + space) > 0) this.#reach('reassigned');
    if (domain.devices.value === 3) this.#reach('twoMasters');
  }

  #domainWithTwoAsids(space: number): boolean {
    const set = this.#domainOf(space)?.invs.value ?? 0;
    return (set & (set - 1)) !== 0;
  }

  #domainOf(space: number) {
    const { kernel } = this;
    if (kernel === undefined || space >= kernel.config.domains) return undefined;
    const handle = kernel.domainSlots[space]?.value ?? 0;
    return handle > 0 ? kernel.domains.at(handle) : undefined;
  }

  #reach(name: keyof typeof WITNESSES): void {
    this.#machine.tally(NAMES.indexOf(name));
  }
}
