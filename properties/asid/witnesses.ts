import type { Machine } from '../../engine/machine.ts';
import type { Store } from '../../engine/store.ts';
import type { Kernel } from '../../impl/kernel/index.ts';
import type { SmmuPort } from '../../impl/platform/index.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { kindsOf } from '../flat-operations.ts';
import { OutstandingCommands } from '../outstanding-commands.ts';
import { Tallies } from '../tallies.ts';
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

/** Counts what happens. */
export class Witnesses extends Tallies<(typeof WITNESSES)[keyof typeof WITNESSES], AsidOperation['op']> {
  kernel: Kernel | undefined;
  readonly #store: Store;
  readonly #architecture: SmmuV3;
  readonly #outstanding: OutstandingCommands;
  /** Cells: how many pages each space maps, whether an ASID had an owner. */
  readonly #mapped: number;
  readonly #used: number;

  constructor(machine: Machine, architecture: SmmuV3) {
    super(machine, Object.values(WITNESSES), kindsOf(ARGUMENTS));
    this.#store = machine.store;
    this.#architecture = architecture;
    this.#outstanding = new OutstandingCommands(machine);
    this.#mapped = machine.store.reserve(16, 'pages mapped');
    this.#used = machine.store.reserve(32, 'ASIDs used');
  }

  /** The SMMU's registers, with an eye on commands. */
  port(): SmmuPort {
    return this.#outstanding.port(this.#architecture);
  }

  /** Called after each step. */
  afterStep(): void {
    if (this.#outstanding.ofAnother) this.noted(WITNESSES.syncOutstanding);
  }

  /** Called when an allocation fails on demand. */
  allocationFailed(): void {
    this.noted(WITNESSES.allocationFailed);
  }

  /** Called with each event, inside the step that emits it. */
  on(event: ContractEvent): void {
    const store = this.#store;
    switch (event.type) {
      case 'map.end':
        store.set(this.#mapped + event.space, store.get(this.#mapped + event.space) + 1);
        return;
      case 'unmap.begin':
        if (this.#domainWithTwoAsids(event.space)) this.noted(WITNESSES.unmapDuringTransition);
        return;
      case 'unmap.end':
        store.set(this.#mapped + event.space, Math.max(0, store.get(this.#mapped + event.space) - 1));
        return;
      case 'table.free':
        this.noted(WITNESSES.tableFreed);
        return;
      case 'tag.assign':
        this.#assigned(event.tag, event.space);
        return;
      case 'tag.free':
        if (store.get(this.#used + event.tag) >= this.#domains + 1) this.noted(WITNESSES.lastUnbind);
    }
  }

  get #domains(): number {
    return this.kernel?.config.domains ?? 0;
  }

  #assigned(asid: number, space: number): void {
    const store = this.#store;
    const owner = store.get(this.#used + asid);
    if (owner !== 0 && owner !== space + 1) this.noted(WITNESSES.asidReused);
    store.set(this.#used + asid, space + 1);
    const domain = this.#domainOf(space);
    if (domain === undefined || domain.devices.value === 0) return;
    if (store.get(this.#mapped + space) > 0) this.noted(WITNESSES.reassigned);
    if (domain.devices.value === 3) this.noted(WITNESSES.twoMasters);
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
}
