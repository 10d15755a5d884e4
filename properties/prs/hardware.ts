import type { AgentSpec } from '../../engine/agent.ts';
import type { Machine } from '../../engine/machine.ts';
import { forget, waitStep, type Task } from '../../engine/step.ts';
import type { Waitable } from '../../engine/waitable.ts';
import type { PageResponse, PriPort, Prm } from '../../impl/kernel/iopf/index.ts';
import { PriFunctions, RESPONSE } from '../../model/architecture/pri/functions.ts';
import { describe, PageRequestQueue } from '../../model/architecture/pri/page-request-queue.ts';
import { StalledTransactions } from '../../model/architecture/pri/stalled.ts';
import { codeOf, requestOf, type PageRequest } from '../../model/architecture/pri/page-request.ts';
import type { PageRequestEvent } from '../../model/contract/events.ts';
import { GROUPS, hasProcesses, REQUESTS, type PrsConfiguration } from './configuration.ts';
import { PasidEntries } from './entries.ts';
import { PasidReuse } from './reuse.ts';

const CODES = { Success: RESPONSE.SUCCESS, Invalid: RESPONSE.INVALID, Failure: RESPONSE.FAILURE } as const;

/** What happened in hardware, for witnesses. */
export type HardwareNote =
  | 'overflow'
  | 'message on the wire at detach'
  | 'PASID leads to another space'
  | 'Stop Marker'
  | 'STAG used again'
  | 'response after PASID reuse attempted';

/** Where hardware tells what happens. */
export interface HardwareListener {
  readonly emit: (event: PageRequestEvent) => void;
  readonly note: (note: HardwareNote) => void;
  /** An entry has been written. */
  readonly written: () => void;
}

/** An IOMMU's page request queue, the functions behind it, and what their PASIDs lead to. */
export class PrsHardware implements PriPort {
  readonly functions: PriFunctions;
  readonly entries: PasidEntries;
  readonly interrupt: Waitable;
  readonly stalled: StalledTransactions;
  readonly #machine: Machine;
  readonly #queue: PageRequestQueue;
  readonly #configuration: PrsConfiguration;
  readonly #listener: HardwareListener;
  readonly #sent: number;
  /** Where PASIDs change hands. */
  readonly #reuse: PasidReuse | undefined;

  constructor(machine: Machine, configuration: PrsConfiguration, listener: HardwareListener) {
    const { store } = machine;
    const { devices, pasids } = configuration;
    const life = hasProcesses(configuration);
    this.#machine = machine;
    this.#configuration = configuration;
    this.#listener = listener;
    this.functions = new PriFunctions(store, devices, GROUPS);
    this.stalled = new StalledTransactions(store, devices, GROUPS);
    this.#queue = new PageRequestQueue(store, configuration.entries);
    this.entries = new PasidEntries(store, devices, pasids, life);
    this.#sent = store.reserve(1, 'requests sent');
    this.#reuse = life ? new PasidReuse(store, devices, GROUPS, pasids) : undefined;
    this.interrupt = { name: 'a page request', ready: () => this.#queue.pending };
  }

  get head(): number {
    return this.#queue.head;
  }

  get tail(): number {
    return this.#queue.tail;
  }

  get overflow(): boolean {
    return this.#queue.overflow;
  }

  writeHead(head: number): void {
    this.#queue.head = head;
  }

  after(place: number): number {
    return this.#queue.after(place);
  }

  read(place: number): number {
    return this.#queue.codeAt(place);
  }

  decode(code: number): Prm {
    return requestOf(code);
  }

  words(code: number): string {
    return describe(requestOf(code));
  }

  clearPending(): void {
    this.#queue.clearPending();
  }

  clearOverflow(): void {
    this.#queue.clearOverflow();
  }

  writeEntry(device: number, pasid: number, space: number): void {
    if (this.entries.write(device, pasid, space)) this.#listener.note('PASID leads to another space');
    if (space < 0 && this.functions.inFlight(device) > 0) this.#listener.note('message on the wire at detach');
    this.#listener.written();
  }

  quietEntry(device: number, pasid: number): void {
    this.entries.quiet(device, pasid);
  }

  flushEntry(device: number, pasid: number): void {
    this.entries.flush(device, pasid);
  }

  arrived(device: number): Waitable {
    return {
      name: `messages of dev${device} on the wire`,
      ender: 'their arrival',
      ready: () => this.functions.inFlight(device) === 0,
    };
  }

  respond(device: number, pasid: number, group: number, response: PageResponse): void {
    if (this.#reuse?.isReused(device, group, pasid) === true)
      this.#listener.note('response after PASID reuse attempted');
    if (this.#configuration.stall) this.stalled.resume(device, group);
    else this.functions.respond(device, group, CODES[response]);
  }

  /** A device uses a PASID: the space that it leads to, -1 for none. */
  use(device: number, pasid: number): number {
    const found = this.entries.lookUp(device, pasid);
    if (found === 'nothing' && this.#reuse !== undefined)
      this.#listener.emit({ type: 'pri.unconfigured', device, pasid });
    return typeof found === 'number' ? found : -1;
  }

  /** A PASID gets an owner. */
  allocated(pasid: number): void {
    this.#reuse?.allocated(pasid);
  }

  /** Whether a run has room for some more requests. */
  room(requests: number): boolean {
    return this.#machine.store.get(this.#sent) + requests <= REQUESTS;
  }

  /**
   * A function sends a message.
   *
   * @param watched the job waits for the response, if it is a last request.
   */
  send(message: Omit<PageRequest, 'id'>, watched = false): void {
    const { store } = this.#machine;
    const { device, pasid, group, last, stop } = message;
    const id = stop ? 0 : store.get(this.#sent) + 1;
    if (stop) this.#listener.note('Stop Marker');
    else {
      store.set(this.#sent, id);
      const space = this.use(device, pasid);
      this.#listener.emit({ type: 'pri.request', id, device, pasid, group, last, space });
      if (last && !this.functions.isOutstanding(device, group)) this.functions.outstanding(device, group, watched);
      if (last) this.#reuse?.asked(device, group, pasid);
    }
    const code = codeOf({ ...message, id });
    if (!this.#configuration.wire) this.#receive(code);
    else if (!this.functions.send(device, code)) throw new RangeError('too many messages are on their way');
  }

  /**
   * A transaction of a device faults and stalls; its record goes to the event queue. Its number; 0 if it does not stall: its
   * substream leads nowhere, so it is terminated, or there is no room, so it waits where it comes from (IHI 0070 §3.12.2).
   */
  stall(device: number, pasid: number): number {
    const { store } = this.#machine;
    const tag = this.stalled.freeTag(device);
    const space = this.use(device, pasid);
    if (space < 0 || tag < 0 || !this.room(1) || !this.functions.canSend(device, 1) || !this.#hasPlace()) return 0;
    const id = store.get(this.#sent) + 1;
    store.set(this.#sent, id);
    this.#listener.emit({ type: 'pri.request', id, device, pasid, group: tag, last: true, space });
    this.#reuse?.asked(device, tag, pasid);
    if (this.stalled.stall(device, tag, id)) this.#listener.note('STAG used again');
    const code = codeOf({ device, pasid, group: tag, last: true, stop: false, page: 0, id });
    if (!this.#configuration.wire) this.#receive(code);
    else this.functions.send(device, code);
    return id;
  }

  terminate(device: number): void {
    for (const id of this.stalled.terminate(device)) this.#listener.emit({ type: 'pri.overflowed', id });
  }

  /** The event queue has room for one more record than those on their way. */
  #hasPlace(): boolean {
    const { devices, entries } = this.#configuration;
    let records = this.#queue.places.length;
    for (let device = 0; device < devices; device++) records += this.functions.inFlight(device);
    return records < entries - 1;
  }

  /** What brings messages to the IOMMU. */
  links(): AgentSpec[] {
    if (!this.#configuration.wire) return [];
    return Array.from({ length: this.#configuration.devices }, (_, device) => ({
      name: `link of dev${device}`,
      context: 'process' as const,
      daemon: true,
      operations: [{ label: 'messages', start: () => this.#link(device) }],
    }));
  }

  *#link(device: number): Task {
    const message = { name: `a message of dev${device}`, ready: () => this.functions.inFlight(device) > 0 };
    for (;;) {
      yield* forget('idle');
      yield* waitStep('message arrives', message, () => {
        this.#receive(this.functions.deliver(device));
        return undefined;
      });
    }
  }

  #receive(code: number): void {
    const request = requestOf(code);
    const arrival = this.#queue.receive(request);
    if (arrival === 'queued') return;
    this.#listener.note('overflow');
    if (request.id > 0) this.#listener.emit({ type: 'pri.overflowed', id: request.id });
    // The response that hardware gives asks the function to try again (IHI 0070 §8.1).
    if (arrival === 'answered') this.functions.respond(request.device, request.group, RESPONSE.SUCCESS);
  }
}
