import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { PERMISSION } from '../../model/architecture/arm/outcomes/outcome.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { OutcomeSource } from '../../model/contract/contract.ts';
import type { ArchitectureOutcome } from '../../model/contract/observe.ts';
import type { SvaHardware } from './hardware.ts';
import { PAGES } from './pages.ts';

/** Streams of the contract from here on are CPUs. */
export const CPU_STREAM = 0x100;

/** What of the CPUs decides whether they access anything. */
interface Running {
  /** The process that accesses of a CPU are for, -1 for none. */
  runs(cpu: number): number;
}

/**
 * Where devices and CPUs may get, as one list of slots for the contract: first the SMMU's, then for each CPU its pages, of
 * the process that it runs. A CPU that runs none, or is in the scheduler, accesses nothing.
 */
export class Reach implements OutcomeSource<ArchitectureOutcome> {
  readonly #smmu: SmmuV3;
  readonly #hardware: SvaHardware;
  readonly #running: Running;
  readonly #first: number;
  readonly #cpuSlots: readonly number[];
  readonly #sets = new Map<string, number>([['', 0]]);
  readonly #outcomes: (readonly ArchitectureOutcome[])[] = [[]];
  #changed = true;

  constructor(smmu: SmmuV3, hardware: SvaHardware, memory: PhysicalMemory, cpus: number, running: Running) {
    this.#smmu = smmu;
    this.#hardware = hardware;
    this.#running = running;
    this.#first = smmu.universe.slots.length;
    this.#cpuSlots = Array.from({ length: cpus * PAGES.length }, (_, at) => this.#first + at);
    memory.onWrite(() => (this.#changed = true));
  }

  /** Something besides memory has changed for CPUs. */
  changed(): void {
    this.#changed = true;
  }

  takeDirtySlots(): readonly number[] {
    const dirty = this.#smmu.takeDirtySlots();
    if (!this.#changed) return dirty;
    this.#changed = false;
    return [...dirty, ...this.#cpuSlots];
  }

  /** Even numbers are the SMMU's. */
  outcomeSet(slot: number): number {
    if (slot < this.#first) return 2 * this.#smmu.outcomeSet(slot);
    const reached = this.#reached(slot - this.#first);
    const key = reached.join(' ');
    let set = this.#sets.get(key);
    if (set === undefined) {
      set = this.#outcomes.length;
      this.#sets.set(key, set);
      const permissions = PERMISSION.UR | PERMISSION.UW;
      this.#outcomes.push(reached.map((pa) => ({ kind: 'translation', pa, permissions })));
    }
    return 2 * set + 1;
  }

  outcomes(slot: number): readonly ArchitectureOutcome[] {
    if (slot < this.#first) return this.#smmu.outcomes(slot);
    return this.#outcomes[(this.outcomeSet(slot) - 1) / 2] ?? [];
  }

  #reached(at: number): readonly number[] {
    const page = at % PAGES.length;
    const cpu = (at - page) / PAGES.length;
    return this.#running.runs(cpu) < 0 ? [] : this.#hardware.outcomes(cpu, PAGES[page] as number);
  }
}
