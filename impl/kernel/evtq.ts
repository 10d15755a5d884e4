import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { QueueIndex } from './cmdq-index.ts';

/** The registers and the records of an output queue (event queue). */
export interface EvtqHardware {
  /** Reads EVENTQ_PROD. */
  readProd(): number;
  /** Writes EVENTQ_CONS. */
  writeCons(index: number): void;
  /** Reads the record in an entry. */
  readRecord(entry: number): number;
}

/**
 * The event queue as the driver empties it (`arm_smmu_evtq_thread()`). A record is read only after EVENTQ_PROD was seen to
 * have passed it (`readl`, not `_relaxed`), and its entry is given back only after it has been read (`__iomb`).
 */
export class ArmSmmuEvtq {
  readonly index: QueueIndex;
  protected readonly hardware: EvtqHardware;
  /** Shadows of PROD and CONS. */
  protected readonly prod: Cell;
  protected readonly cons: Cell;
  readonly #handle: (record: number) => void;

  /** @param handle called inside a step with each record. */
  constructor(machine: Machine, hardware: EvtqHardware, log2Entries: number, handle: (record: number) => void) {
    this.hardware = hardware;
    this.index = new QueueIndex(log2Entries);
    this.prod = new Cell(machine, 'evtq.prod');
    this.cons = new Cell(machine, 'evtq.cons');
    this.#handle = handle;
  }

  /** True while the driver has not seen all that the SMMU has announced: an interrupt is pending. Pure. */
  pending(): boolean {
    return this.hardware.readProd() !== this.prod.peek(0) || this.prod.peek(0) !== this.cons.peek(0);
  }

  /** `arm_smmu_evtq_thread()`. */
  *arm_smmu_evtq_thread(): Task {
    do {
      while (!(yield* this.isEmpty())) yield* this.queue_remove_raw();
      yield* this.queue_sync_prod_in();
    } while (!(yield* this.isEmpty()));
  }

  /** `queue_remove_raw()`: reads a record, gives its entry back, handles it. */
  protected *queue_remove_raw(): Task {
    const record = yield* this.readRecord();
    yield* this.queue_sync_cons_out();
    yield* this.handle(record);
  }

  protected readRecord(): Step<number> {
    return step('read record', () => this.hardware.readRecord(this.index.entry(this.cons.value)));
  }

  /** Advances the shadow of CONS and writes the register, after all reads of the record. */
  protected queue_sync_cons_out(): Step<undefined> {
    return step('EVENTQ_CONS++', () => {
      this.cons.value = this.index.add(this.cons.value, 1);
      this.hardware.writeCons(this.cons.value);
      return undefined;
    });
  }

  protected handle(record: number): Step<undefined> {
    return step('handle event', () => {
      this.#handle(record);
      return undefined;
    });
  }

  /** `queue_sync_prod_in()`: no record is read before. */
  protected *queue_sync_prod_in(): Task {
    yield* step('load EVENTQ_PROD', () => {
      this.prod.value = this.hardware.readProd();
      return undefined;
    });
  }

  protected isEmpty(): Step<boolean> {
    return step('evtq empty?', () => this.prod.value === this.cons.value);
  }
}
