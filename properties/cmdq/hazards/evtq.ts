import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { ArmSmmuEvtq, type EvtqHardware } from '../../../impl/kernel/evtq.ts';
import type { CmdqHazard } from './hazard.ts';

/** Nothing was read ahead. */
const NONE = -1;

/** The load of the first record may be made before that of EVENTQ_PROD: a processor is free to do so without a barrier. */
class RelaxedProdEvtq extends ArmSmmuEvtq {
  readonly #ahead: Cell;

  constructor(machine: Machine, hardware: EvtqHardware, log2Entries: number, handle: (record: number) => void) {
    super(machine, hardware, log2Entries, handle);
    this.#ahead = new Cell(machine, 'record read ahead');
    this.#ahead.value = NONE;
  }

  protected override *queue_sync_prod_in(): Task {
    yield* step('read record, ahead of EVENTQ_PROD', () => {
      this.#ahead.value = this.hardware.readRecord(this.index.entry(this.cons.value));
      return undefined;
    });
    yield* super.queue_sync_prod_in();
  }

  protected override readRecord(): Step<number> {
    const careful = super.readRecord();
    return step(careful.label, () => {
      const ahead = this.#ahead.value;
      this.#ahead.value = NONE;
      return ahead === NONE ? careful.run() : ahead;
    });
  }
}

/** Gives the entry back before it is read. */
class ConsFirstEvtq extends ArmSmmuEvtq {
  protected override *queue_remove_raw(): Task {
    const at = yield* step('load evtq.cons', () => this.cons.value);
    yield* this.queue_sync_cons_out();
    const record = yield* step('read record', () => this.hardware.readRecord(this.index.entry(at)));
    yield* this.handle(record);
  }
}

/** Mistakes of the driver's side of the event queue. */
export const EVTQ_HAZARDS: readonly CmdqHazard[] = [
  {
    id: 'smmu-evtq-missing-rmb',
    title: 'EVENTQ_PROD is read without a barrier before the records',
    citation:
      'queue_sync_prod_in(), Linux 5.15: readl() instead of _relaxed(), "we must prevent speculative reads of the queue before we have determined that prod has indeed moved"',
    story:
      'The processor loads the record first, finds what was there before, and then sees that EVENTQ_PROD has moved.',
    expected: [
      { monitor: 'evtq', rule: 'event-stale' },
      { monitor: 'evtq', rule: 'event-lost' },
    ],
    parts: { evtq: RelaxedProdEvtq },
  },
  {
    id: 'smmu-evtq-cons-first',
    title: 'EVENTQ_CONS is written before the record is read',
    citation: 'queue_remove_raw(), queue_sync_cons_out(), Linux 6.1: __iomb() before the write of cons',
    story: 'The SMMU writes a new event into the entry, and the driver reads that one twice and the old one never.',
    expected: [
      { monitor: 'evtq', rule: 'event-lost' },
      { monitor: 'evtq', rule: 'event-stale' },
    ],
    parts: { evtq: ConsFirstEvtq },
  },
];
