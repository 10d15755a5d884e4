/** Our own SMMUv3 and endpoints with translation caches as the hardware under a kernel. */
import {
  Endpoint,
  SmmuV3Device,
  type DeviceAnswer,
  type DeviceMemory,
  type DeviceOptions,
} from '../../impl/devices/smmuv3/index.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { CMDQ_CONS, EVENTQ_INDEX, extract, REGISTER } from '../../model/architecture/arm/layout/index.ts';
import { BuiltinMemory } from '../conformance/builtin-device.ts';
import { ramBase } from '../conformance/world.ts';
import type { Effect } from './effects.ts';
import type { Place } from './family.ts';
import { pageBytes, type CommandTrouble, type Hardware } from './hardware.ts';
import type { Reached } from './outcome.ts';

/** Room for everything that a program can make the device hold, so that what is stale stays until it is invalidated. */
const caches: NonNullable<DeviceOptions['caches']> = {
  iotlb: { sets: 64, ways: 8 },
  walk: { sets: 64, ways: 8 },
  config: {
    ste: { sets: 8, ways: 4 },
    cd: { sets: 8, ways: 4 },
    l1std: { sets: 1, ways: 2 },
    l1cd: { sets: 1, ways: 2 },
    tags: { contexts: 64 },
  },
  tags: { contexts: 256 },
  decoded: 64,
};
const ramBytes = 2 ** 30;

/** Makes a device: our own, or one with a mistake. */
export type MakeDevice = (memory: DeviceMemory, options: DeviceOptions) => SmmuV3Device;

/** Our device. It answers with addresses, so that nothing need be written to see where an access went. */
export class BuiltinHardware implements Hardware {
  readonly version = 'built-in SMMUv3';
  readonly concatenatedTables = true;
  readonly privileged = false;
  readonly commandsCanWait = true;
  readonly features: SmmuFeatures;
  readonly #make: MakeDevice;
  readonly #memory = new BuiltinMemory(ramBase, ramBytes);
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #ats = new Set<number>();
  #device: SmmuV3Device;

  constructor(features: SmmuFeatures, make: MakeDevice = (memory, options) => new SmmuV3Device(memory, options)) {
    this.features = features;
    this.#make = make;
    this.#device = make(this.#memory, { features, caches });
  }

  boot(effects: readonly Effect[], commandsWait: boolean): Promise<CommandTrouble | undefined> {
    this.#memory.clear();
    this.#endpoints.clear();
    this.#ats.clear();
    this.#device = this.#make(this.#memory, { features: this.features, caches, stepped: commandsWait });
    return this.apply(effects);
  }

  apply(effects: readonly Effect[]): Promise<CommandTrouble | undefined> {
    let trouble: CommandTrouble | undefined;
    for (const effect of effects)
      switch (effect.kind) {
        case 'memory':
          this.#memory.writeWord(effect.pa, effect.low, effect.high);
          break;
        case 'register':
          this.#device.writeRegister(effect.offset, effect.low, effect.high);
          break;
        case 'complete':
          trouble ??= this.#complete(effect.prod);
          break;
        case 'ats':
          this.#switchAts(effect.streamId, effect.enabled);
      }
    return Promise.resolve(trouble);
  }

  dma(place: Place): Promise<Reached | undefined> {
    return Promise.resolve(this.#access(place));
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #access({ streamId, substream, iova, ats }: Place): Reached | undefined {
    const attributes = { write: true, privileged: this.privileged, instruction: false };
    const address = { substream, low: (iova % 2 ** 32) | 0, high: Math.floor(iova / 2 ** 32) };
    if (!ats)
      return this.#reached(this.#device.translate({ streamId, ...address, ...attributes, kind: 'untranslated' }), iova);
    if (!this.#ats.has(streamId)) return undefined;
    return this.#reached(this.#endpoint(streamId).access({ ...address, ...attributes }), iova);
  }

  #reached({ kind, pa, event, recorded }: DeviceAnswer, iova: number): Reached | undefined {
    this.#dropEvents();
    switch (kind) {
      case 'memory': {
        const page = pa - (pa % pageBytes);
        // No mapping of these families leads an address to itself.
        return page === iova ? { kind: 'bypass' } : { kind: 'page', pa: page };
      }
      case 'fault':
        return recorded ? { kind: 'fault', event } : { kind: 'abort' };
      case 'stalled':
        return { kind: 'fault', event };
      case 'abort':
        return { kind: 'abort' };
      case 'completion':
      case 'unsupported':
      case 'completer-abort':
        return undefined;
    }
  }

  /** ATS is switched; what the cache holds stays, and is used again when ATS is back. */
  #switchAts(streamId: number, enabled: boolean): void {
    this.#endpoint(streamId);
    if (enabled) this.#ats.add(streamId);
    else this.#ats.delete(streamId);
  }

  /** The endpoint of a stream, which hears of invalidations from its first use on. */
  #endpoint(streamId: number): Endpoint {
    let endpoint = this.#endpoints.get(streamId);
    if (endpoint === undefined) {
      endpoint = new Endpoint(this.#device, streamId);
      this.#endpoints.set(streamId, endpoint);
    }
    return endpoint;
  }

  /** Nobody reads the event queue: it is emptied, so that it never overflows. */
  #dropEvents(): void {
    const device = this.#device;
    const prod = extract(EVENTQ_INDEX.fields.INDEX, device.readRegister(REGISTER.EVENTQ_PROD), 0);
    if (prod !== extract(EVENTQ_INDEX.fields.INDEX, device.readRegister(REGISTER.EVENTQ_CONS), 0))
      device.writeRegister(REGISTER.EVENTQ_CONS, prod);
  }

  /** Software waits for the commands before index `prod`: what is not carried out yet is now. */
  #complete(prod: number): CommandTrouble | undefined {
    const end = extract(CMDQ_CONS.fields.RD, prod, 0);
    while (this.#consumed() !== end && this.#device.processCommand());
    const consumed = this.#consumed();
    const { ERR } = CMDQ_CONS.fields;
    const error = extract(ERR, this.#device.readRegister(REGISTER.CMDQ_CONS), 0);
    return error === 0 ? undefined : { error, consumed, prod: end };
  }

  #consumed(): number {
    return extract(CMDQ_CONS.fields.RD, this.#device.readRegister(REGISTER.CMDQ_CONS), 0);
  }
}
