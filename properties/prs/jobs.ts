import { step, waitStep, type Step, type Task } from '../../engine/step.ts';
import type { Tallies } from '../tallies.ts';
import type { Of, PrsConfiguration, PrsOperation } from './configuration.ts';
import type { PrsHardware } from './hardware.ts';

/** What a device did that it should not. */
export type JobNote = 'index repeated';

/** What devices do: those that follow PCIe, and those that do not. */
export class DeviceJobs {
  readonly #hardware: PrsHardware;
  readonly #configuration: PrsConfiguration;
  readonly #tallies: Pick<Tallies<JobNote, PrsOperation['op']>, 'noted' | 'ran'>;

  constructor(
    hardware: PrsHardware,
    configuration: PrsConfiguration,
    tallies: Pick<Tallies<JobNote, PrsOperation['op']>, 'noted' | 'ran'>,
  ) {
    this.#hardware = hardware;
    this.#configuration = configuration;
    this.#tallies = tallies;
  }

  /** Asks for pages, by page requests or by a transaction that stalls, and waits for what becomes of it. */
  fault(operation: Of<'fault'>): Task {
    return this.#configuration.stall ? this.#stalls(operation) : this.#asks(operation);
  }

  /** A single message, or a posted write that stalls. */
  send(operation: Of<'send'>): Task {
    return this.#configuration.stall ? this.#stalls(operation) : this.#sends(operation);
  }

  /**
   * The device translates ahead, is told that pages are not present, asks for them, and waits. If its PASID leads nowhere it
   * is told so at once, and asks for nothing; if that happens between two requests, the group stays as it is.
   */
  *#asks({ device, pasid, group, pages }: Of<'fault'>): Task {
    const { functions } = this.#hardware;
    const message = { device, pasid, group, stop: false };
    const begun = yield* this.#first('fault', `page request of dev${device}, PASID ${pasid}, PRG ${group}`, () => {
      if (!this.#mayUse(device, group, pages) || this.#hardware.use(device, pasid) < 0) return false;
      if (pages > 1) functions.open(device, group);
      this.#hardware.send({ ...message, last: pages === 1, page: 0 }, true);
      return true;
    });
    if (!begun) return;
    const sent =
      pages === 1 ||
      (yield* step(`last page request of dev${device}, PASID ${pasid}, PRG ${group}`, () => {
        if (this.#hardware.use(device, pasid) < 0 || !functions.canSend(device, 1) || !this.#hardware.room(1)) {
          functions.release(device, group);
          return false;
        }
        this.#hardware.send({ ...message, last: true, page: 1 }, true);
        return true;
      }));
    if (!sent) return;
    const response = {
      name: `the response to PRG ${group} of dev${device}`,
      ender: 'a page response',
      ready: () => functions.response(device, group) !== 0,
    };
    yield* waitStep(`response to PRG ${group} of dev${device}`, response, () => {
      functions.release(device, group);
      return undefined;
    });
  }

  /** A transaction stalls; `fault` waits for what becomes of it, `send` is a posted write. */
  *#stalls({ op, device, pasid }: Of<'fault'> | Of<'send'>): Task {
    const id = yield* step(
      `transaction of dev${device}, PASID ${pasid}`,
      () => {
        const stalled = this.#hardware.stall(device, pasid);
        this.#tallies.ran(op, stalled > 0);
        return stalled;
      },
      (stalled) => (stalled > 0 ? 'stalls' : 'does not apply'),
    );
    if (id === 0 || op === 'send') return;
    const end = {
      name: `the end of the stall of dev${device}`,
      ender: 'CMD_RESUME',
      ready: () => !this.#hardware.stalled.isStalled(device, id),
    };
    yield* waitStep(`the stall of dev${device} ends`, end, () => undefined);
  }

  /** A device that does not wait, or stops in the middle of a group. */
  *#sends({ device, pasid, group, last }: Of<'send'>): Task {
    yield* this.#first(
      'send',
      `page request of dev${device}, PASID ${pasid}, PRG ${group}${last ? ', last' : ''}`,
      () => {
        if (!this.#mayUse(device, group, 1)) return false;
        this.#hardware.send({ device, pasid, group, last, stop: false, page: 0 });
        return true;
      },
    );
  }

  /** A device that gives out an index before it has had the response. */
  *again({ device, pasid, group }: Of<'again'>): Task {
    yield* this.#first('again', `page request of dev${device}, PASID ${pasid}, PRG ${group} again, last`, () => {
      const { functions } = this.#hardware;
      if (!functions.isOutstanding(device, group) || !functions.canSend(device, 1) || !this.#hardware.room(1))
        return false;
      this.#tallies.noted('index repeated');
      this.#hardware.send({ device, pasid, group, last: true, stop: false, page: 0 });
      return true;
    });
  }

  /** A Stop Marker. */
  *stop({ device, pasid }: Of<'stop'>): Task {
    yield* this.#first('stop', `Stop Marker of dev${device}, PASID ${pasid}`, () => {
      if (this.#configuration.stall || !this.#hardware.functions.canSend(device, 1)) return false;
      this.#hardware.send({ device, pasid, group: 0, last: true, stop: true, page: 0 });
      return true;
    });
  }
  #mayUse(device: number, group: number, requests: number): boolean {
    const { functions } = this.#hardware;
    return functions.isFree(device, group) && functions.canSend(device, requests) && this.#hardware.room(requests);
  }

  /** The first step of a device's operation, which finds out whether it applies. */
  #first(op: PrsOperation['op'], label: string, run: () => boolean): Step<boolean> {
    return step(
      label,
      () => {
        const done = run();
        this.#tallies.ran(op, done);
        return done;
      },
      (done) => (done ? undefined : 'does not apply'),
    );
  }
}
