import { consistentIndexes, entriesUsed, indexMask, slotOf } from '../commands/queue-index.ts';
import { EVENT_RECORD } from '../layout/event.ts';
import { extract, read } from '../layout/layout.ts';
import { EVENTQ_INDEX, GERROR } from '../layout/register.ts';
import { Matching } from './matching.ts';
import { sameRecord } from './same-record.ts';

/** An event that the architecture requires or permits, for one transaction. */
export interface ExpectedEvent {
  /** The records that it may leave, one of them, as lanes. */
  readonly records: readonly (readonly number[])[];
  /** It may also leave none, although the queue can be written: the transaction may have ended otherwise. */
  readonly optional: boolean;
  /** Equal ones may share a record: STE.MEV is set, or no STE was found (IHI 0070 §7.3.1). */
  readonly mergeable: boolean;
}

/** What software reads of the event queue. */
export interface QueueObservation {
  /** EVENTQ_PROD, with OVFLG. */
  readonly prod: number;
  readonly gerror: number;
  /** Lanes of the record at a place of the queue. */
  readonly record: (place: number) => readonly number[];
}

/** Whether what was observed is permitted; else the rule that forbids it. */
export type QueueVerdict =
  { readonly kind: 'permitted' } | { readonly kind: 'violation'; readonly rule: QueueRule; readonly text: string };

/** Rules of the event queue. */
export type QueueRule =
  /** §3.5.1: the index moves forward, and not beyond a full queue. */
  | 'index'
  /** §7.2.1: nothing is written to a queue that is disabled or has been stopped by an abort. */
  | 'written-while-unwritable'
  /** §7.2: each record belongs to an event. */
  | 'record-without-event'
  /** §7.2.1, §4.7.3: an event of a terminated transaction is there after a CMD_SYNC, if the queue can be written. */
  | 'event-lost'
  /** §7.4: an event that was discarded because the queue was full is told by OVFLG. */
  | 'lost-without-overflow'
  /** §7.4: OVFLG only tells of discarded events. */
  | 'overflow-without-loss'
  /** §7.4: OVFLG does not change while an overflow is not acknowledged. */
  | 'overflow-twice'
  /** §7.2.2: EVENTQ_ABT_ERR tells of an aborted access. */
  | 'abort-without-cause';

/** An expected event that has not been seen yet. */
interface PendingEvent {
  readonly event: ExpectedEvent;
  readonly stall: boolean;
  /** Records that software had consumed when it occurred. */
  readonly consumed: number;
  /** The queue could not be written at some time since, for a reason other than being full. */
  unwritable: boolean;
  /** A CMD_SYNC has completed since: it is there by now, or will never be. */
  synchronised: boolean;
}

const PERMITTED: QueueVerdict = { kind: 'permitted' };
const index = EVENTQ_INDEX.fields;

/**
 * Judges an event queue: told of what happens in order, it says whether what software reads from memory and registers is
 * permitted. Records come in any order, since nothing orders the events of different transactions, and at any time
 * before the CMD_SYNC that waits for them (§3.5.3, §4.7.3). Interrupts are not modelled.
 */
export class EventQueueChecker {
  readonly #log2: number;
  /** Some of the queue is where memory aborts accesses. */
  readonly #aborts: boolean;
  #pending: PendingEvent[] = [];
  #enabled = false;
  /** It has been enabled at some time since the last look. */
  #wasEnabled = false;
  #gerror = 0;
  #gerrorn = 0;
  /** PROD as last read and CONS as last written, counted on beyond the wrap bit; and their flags. */
  #produced: number;
  #consumed: number;
  #overflow: number;
  #acknowledged: number;
  /** Software has acknowledged something since the last look. */
  #acknowledgedSince = false;
  #abortedSince = false;

  /**
   * @param log2 log2 of the number of entries.
   * @param prod EVENTQ_PROD, and `cons` EVENTQ_CONS, as software has set them up, consistently (§3.5.1).
   * @param aborts whether accesses to some of the queue are aborted.
   */
  constructor(log2: number, prod: number, cons: number, aborts = false) {
    if (!consistentIndexes(prod, cons, log2)) throw new RangeError('inconsistent indexes of an event queue');
    this.#log2 = log2;
    this.#aborts = aborts;
    this.#consumed = extract(index.INDEX, cons, 0) & indexMask(log2);
    this.#produced = this.#consumed + entriesUsed(prod, cons, log2);
    this.#overflow = extract(index.OVERFLOW, prod, 0);
    this.#acknowledged = extract(index.OVERFLOW, cons, 0);
  }

  /** A transaction has caused an event, or may have. */
  event(event: ExpectedEvent): void {
    const stall = event.records.some((record) => read(EVENT_RECORD.fields.Stall, record) === 1);
    const unwritable = !this.#enabled || this.#aborted();
    this.#pending.push({ event, stall, consumed: this.#consumed, unwritable, synchronised: false });
  }

  /** CR0.EVENTQEN has been switched and acknowledged. */
  enable(enabled: boolean): void {
    if (!enabled) for (const pending of this.#pending) pending.unwritable = true;
    this.#enabled = enabled;
    this.#wasEnabled ||= enabled;
  }

  /**
   * Software has written EVENTQ_CONS.
   *
   * @throws RangeError if the index is not between the old one and the last PROD that was observed: hardware may then do
   *   anything (§3.5.1).
   */
  consume(cons: number): void {
    const mask = indexMask(this.#log2);
    const count = (extract(index.INDEX, cons, 0) - this.#consumed) & mask;
    if (count > this.#produced - this.#consumed) throw new RangeError('CONS passes PROD');
    this.#consumed += count;
    const acknowledged = extract(index.OVERFLOW, cons, 0);
    if (acknowledged !== this.#acknowledged) this.#acknowledgedSince = true;
    this.#acknowledged = acknowledged;
  }

  /** Software has written GERRORN. */
  acknowledge(gerrorn: number): void {
    this.#gerrorn = gerrorn;
  }

  /** A CMD_SYNC that was submitted after all transactions so far had ended has completed (§4.7.3). */
  synchronise(): void {
    for (const pending of this.#pending) pending.synchronised = true;
  }

  /** Software reads PROD and GERROR, and the records that are new. */
  observe(observation: QueueObservation): QueueVerdict {
    const abortVerdict = this.#observeError(observation.gerror);
    if (abortVerdict.kind === 'violation') return abortVerdict;
    const used = entriesUsed(observation.prod, this.#consumed, this.#log2);
    const count = this.#consumed + used - this.#produced;
    if (used < 0 || count < 0) return violation('index', `PROD ${observation.prod} after ${this.#produced}`);
    if (count > 0 && !this.#wasEnabled) return violation('written-while-unwritable', `${count} records`);
    const records = Array.from({ length: count }, (_entry, at) =>
      observation.record(slotOf(this.#produced + at, this.#log2)),
    );
    this.#produced += count;
    // After an abort entries may be invalid, and any event lost (§7.2.2).
    const verdict = this.#abortedSince ? this.#excuseAll() : this.#explain(records, observation.prod);
    this.#overflow = extract(index.OVERFLOW, observation.prod, 0);
    this.#acknowledgedSince = false;
    this.#abortedSince = this.#aborted();
    this.#wasEnabled = this.#enabled;
    return verdict;
  }

  /** Whether the queue is stopped by an abort that software has not acknowledged. */
  #aborted(): boolean {
    return extract(GERROR.fields.EVENTQ_ABT_ERR, this.#gerror ^ this.#gerrorn, 0) === 1;
  }

  #observeError(gerror: number): QueueVerdict {
    const bit = GERROR.fields.EVENTQ_ABT_ERR;
    const changed = extract(bit, gerror ^ this.#gerror, 0) === 1;
    // Hardware may read any entry of an enabled queue (§7.2.2); whether it is told of aborts is up to the system.
    if (changed && !(this.#aborts && this.#wasEnabled)) return violation('abort-without-cause', 'EVENTQ_ABT_ERR');
    this.#gerror = gerror;
    if (changed) this.#abortedSince = true;
    if (this.#aborted()) for (const pending of this.#pending) pending.unwritable = true;
    return PERMITTED;
  }

  #excuseAll(): QueueVerdict {
    this.#pending = this.#pending.filter(({ synchronised, stall }) => stall && !synchronised);
    return PERMITTED;
  }

  /** Finds an event for each record, and a reason for each event that has left none. */
  #explain(records: readonly (readonly number[])[], prod: number): QueueVerdict {
    const pending = this.#pending;
    const fits = (event: number, record: number): boolean =>
      (pending[event] as PendingEvent).event.records.some((expected) =>
        sameRecord(records[record] as readonly number[], expected),
      );
    const matching = new Matching(pending.length, records.length, fits);
    const lost: PendingEvent[] = [];
    for (const [at, one] of pending.entries())
      if (this.#mustBeThere(one) && !matching.pairEvent(at)) {
        const shared = one.event.mergeable && !one.stall && records.some((_record, record) => fits(at, record));
        if (!shared) lost.push(one);
      }
    for (const [at, record] of records.entries())
      if (!matching.pairRecord(at)) return violation('record-without-event', words(record));
    const unseen = pending.filter((_one, at) => matching.recordOf(at) === -1);
    this.#pending = unseen.filter(({ synchronised, stall }) => stall || !synchronised);
    const [first] = lost.filter((one) => !this.#mayHaveBeenFull(one));
    if (first !== undefined) return violation('event-lost', words(first.event.records[0] ?? []));
    return this.#judgeOverflow(prod, lost, unseen);
  }

  /** An event that has occurred, with the queue writable as far as known, and been waited for. */
  #mustBeThere({ event, synchronised, unwritable, stall }: PendingEvent): boolean {
    // The record of a stalled transaction waits until it can be written, and then need not come at once (§7.2.1).
    return synchronised && !unwritable && !event.optional && !stall;
  }

  /** Whether the queue may have been full at some time since an event: so many records have been written by now. */
  #mayHaveBeenFull({ consumed }: PendingEvent): boolean {
    return this.#produced - consumed >= 2 ** this.#log2;
  }

  #judgeOverflow(prod: number, lost: readonly PendingEvent[], unseen: readonly PendingEvent[]): QueueVerdict {
    const flag = extract(index.OVERFLOW, prod, 0);
    const changed = flag !== this.#overflow;
    if (changed && this.#overflow !== this.#acknowledged && !this.#acknowledgedSince)
      return violation('overflow-twice', `OVFLG ${flag}`);
    if (lost.length > 0 && flag === this.#acknowledged && !this.#acknowledgedSince)
      return violation('lost-without-overflow', `${lost.length} events`);
    // Only records that may be discarded cause an overflow, and only in a queue that software could see full.
    const discarded = unseen.some((one) => !one.stall && this.#mayHaveBeenFull(one));
    return changed && !discarded ? violation('overflow-without-loss', `OVFLG ${flag}`) : PERMITTED;
  }
}

function violation(rule: QueueRule, text: string): QueueVerdict {
  return { kind: 'violation', rule, text };
}

function words(record: readonly number[]): string {
  return record.map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join(' ');
}
