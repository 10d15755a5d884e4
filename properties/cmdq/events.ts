import type { AgentSpec } from '../../engine/agent.ts';
import type { Machine } from '../../engine/machine.ts';
import { forget, waitStep, type Task } from '../../engine/step.ts';
import { ArmSmmuEvtq, type EvtqHardware } from '../../impl/kernel/evtq.ts';
import { QueueIndex } from '../../impl/kernel/cmdq-index.ts';

/** log2 of the number of entries of the event queue. */
export const EVTQ_LOG2 = 1;

/** The driver's side, which a hazard replaces. */
export type EvtqClass = new (
  machine: Machine,
  hardware: EvtqHardware,
  log2Entries: number,
  handle: (record: number) => void,
) => ArmSmmuEvtq;

/**
 * The SMMU's side of the event queue, and the contract: every record is handled once, in order, as it was written. Records
 * are numbered from 1.
 */
export class EventSource implements EvtqHardware {
  readonly #machine: Machine;
  readonly #index = new QueueIndex(EVTQ_LOG2);
  readonly #prod: number;
  readonly #cons: number;
  readonly #records: number;
  readonly #written: number;
  readonly #handled: number;
  readonly #evtq: ArmSmmuEvtq;

  constructor(machine: Machine, evtq: EvtqClass = ArmSmmuEvtq) {
    this.#machine = machine;
    const { store } = machine;
    const decimal = (_offset: number, value: number): string => String(value);
    this.#prod = store.reserve(1, 'EVENTQ_PROD', decimal);
    this.#cons = store.reserve(1, 'EVENTQ_CONS', decimal);
    this.#records = store.reserve(this.#index.entries, 'event record', decimal);
    this.#written = store.reserve(1, 'events written');
    this.#handled = store.reserve(1, 'events handled', decimal);
    this.#evtq = new evtq(machine, this, EVTQ_LOG2, (record) => this.#handle(record));
  }

  readProd(): number {
    return this.#machine.store.get(this.#prod);
  }

  writeCons(index: number): void {
    this.#machine.store.set(this.#cons, index);
  }

  readRecord(entry: number): number {
    return this.#machine.store.get(this.#records + entry);
  }

  /** The SMMU records an event once there is room: the record, and then PROD. */
  *record(): Task {
    const { store } = this.#machine;
    const room = {
      name: 'room in the event queue',
      ready: () => !this.#index.isFull(store.get(this.#prod), store.get(this.#cons)),
    };
    yield* waitStep('write record', room, () => {
      const number = store.get(this.#written) + 1;
      store.set(this.#written, number);
      store.set(this.#records + this.#index.entry(store.get(this.#prod)), number);
      return undefined;
    });
    yield* waitStep('EVENTQ_PROD++', ALWAYS, () => {
      store.set(this.#prod, this.#index.add(store.get(this.#prod), 1));
      return undefined;
    });
  }

  /** The interrupt thread: runs whenever there is something that it has not seen. */
  daemon(): AgentSpec {
    const start = (): Task => this.#thread();
    return { name: 'IRQ', context: 'process', daemon: true, operations: [{ label: 'arm_smmu_evtq_thread', start }] };
  }

  /** Nobody does anything any more. */
  quiescent(): void {
    const { store } = this.#machine;
    const [written, handled] = [store.get(this.#written), store.get(this.#handled)];
    if (written !== handled) this.#fail('event-lost', `${written} events were recorded, ${handled} were handled.`);
  }

  *#thread(): Task {
    const pending = { name: 'events', ender: 'EVENTQ_PROD', ready: () => this.#evtq.pending() };
    for (;;) {
      yield* forget('idle');
      yield* waitStep('interrupt', pending, () => undefined);
      yield* this.#evtq.arm_smmu_evtq_thread();
    }
  }

  #handle(record: number): void {
    const { store } = this.#machine;
    const next = store.get(this.#handled) + 1;
    if (record !== next) {
      const what = record < next ? 'event-stale' : 'event-lost';
      this.#fail(what, `The driver handles record ${record} where record ${next} is next.`);
    }
    store.set(this.#handled, next);
  }

  #fail(rule: string, message: string): void {
    this.#machine.fail({ monitor: 'evtq', rule, message });
  }
}

const ALWAYS = { name: 'nothing', ready: () => true };
