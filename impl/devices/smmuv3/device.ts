import { REGISTER } from '../../../model/architecture/arm/layout/register.ts';
import {
  ConfigCache,
  Iotlb,
  TranslationTags,
  WalkCache,
  type CacheSize,
  type ConfigCacheOptions,
  type TranslationTagsOptions,
} from './caches/index.ts';
import { CommandProcessor, type Stalls } from './commands/command.ts';
import { CommandQueue } from './commands/command-queue.ts';
import { Invalidations, type AtsEndpoint } from './commands/invalidations.ts';
import { DecodedConfigs } from './configuration/decoded-configs.ts';
import { EventQueue } from './event-queue.ts';
import type { SmmuFeatures } from '../../../model/architecture/arm/layout/features.ts';
import { HitPath } from './hit-path.ts';
import type { DeviceParts } from './parts.ts';
import { Registers } from './registers.ts';
import type { DeviceAnswer, DeviceMemory, DeviceRequest } from './request.ts';
import { StalledTransactions, type Resumed } from './stalls.ts';
import type { Transaction, TransactionHost } from './transaction.ts';
import { Translation } from './translation.ts';

/** Sizes of the caches of a device. */
export interface DeviceCaches {
  readonly iotlb: CacheSize;
  readonly walk: CacheSize;
  readonly config: ConfigCacheOptions;
  readonly tags: TranslationTagsOptions;
  /** Decoded configurations: a power of two. */
  readonly decoded: number;
}

/** What a device is made with. */
export interface DeviceOptions {
  readonly features: SmmuFeatures;
  readonly caches?: Partial<DeviceCaches>;
  /** Commands wait for `processCommand` instead of being carried out in the write that makes them visible. */
  readonly stepped?: boolean;
}

/** Sizes for good hit rates with thousands of streams and pages. */
const DEFAULT_CACHES: Omit<DeviceCaches, 'tags'> = {
  iotlb: { sets: 1024, ways: 4 },
  walk: { sets: 256, ways: 4 },
  config: {
    ste: { sets: 128, ways: 4 },
    cd: { sets: 128, ways: 4 },
    l1std: { sets: 16, ways: 4 },
    l1cd: { sets: 16, ways: 4 },
    tags: { contexts: 512 },
  },
  decoded: 256,
};

/**
 * An SMMUv3, Non-secure side: registers, tables in memory, queues, caches (IHI 0070).
 *
 *     const device = new SmmuV3Device(memory, { features });
 *     device.writeRegister(REGISTER.CR0, …);
 *     device.translate({ streamId: 8, substream: -1, low: 0x1000, high: 0, … });   // { kind: 'memory', pa: … }
 *
 * Its parts are made by the `create…` methods, so that a subclass can put in another one.
 */
export class SmmuV3Device implements TransactionHost {
  readonly parts: DeviceParts;
  readonly decoded: DecodedConfigs;
  epoch = 0;
  configEpoch = 0;
  readonly #stepped: boolean;
  readonly #events: EventQueue;
  readonly #commands: CommandQueue;
  readonly #stalled: StalledTransactions;
  readonly #endpoints = new Map<number, AtsEndpoint>();
  readonly #translation: Translation;
  readonly #hits: HitPath;
  /** Counts writes of registers that translations depend on, and invalidations of ATCs. */
  #registerEpoch = 0;
  #atcEpoch = 0;

  constructor(memory: DeviceMemory, { features, caches, stepped = false }: DeviceOptions) {
    const vmidBits = features.stage2 ? (features.vmid16 ? 16 : 8) : 0;
    const sizes: DeviceCaches = { ...DEFAULT_CACHES, tags: { contexts: 4096, vmidBits }, ...caches };
    const tags = this.createTags({ ...sizes.tags, vmidBits });
    const registers = new Registers(features);
    this.parts = {
      features,
      memory,
      registers,
      tags,
      iotlb: this.createIotlb(tags, sizes.iotlb),
      walkCache: this.createWalkCache(tags, sizes.walk),
      configCache: this.createConfigCache(sizes.config),
    };
    this.decoded = new DecodedConfigs(sizes.decoded);
    this.#stepped = stepped;
    this.#events = this.createEventQueue(memory, registers);
    this.#stalled = new StalledTransactions(() => this.createTranslation());
    const invalidations = this.createInvalidations(this.parts, this.#endpoints);
    this.#commands = new CommandQueue(this.parts, this.createProcessor(this.parts, invalidations, this.#stalled));
    this.#translation = this.createTranslation();
    this.#hits = new HitPath(this, this.#translation.answer);
  }

  /** Writes a register: 64 bits if `high` is given (§6.2). */
  writeRegister(offset: number, low: number, high?: number): void {
    const { registers } = this.parts;
    const wasEnabled = registers.enabled;
    if (!registers.write(offset, low, high)) return;
    switch (offset) {
      case REGISTER.CMDQ_PROD:
        break;
      case REGISTER.EVENTQ_CONS:
        this.#events.flush();
        return;
      case REGISTER.GERRORN:
        this.#events.flush();
        break;
      default:
        this.#registerEpoch++;
        // What is stalled ends when translation is switched off (§6.3.9.6).
        if (wasEnabled && !registers.enabled) {
          this.#stalled.endAll();
          this.#events.clear();
        }
        this.#events.flush();
    }
    this.#countEpochs();
    if (!this.#stepped) this.processCommands();
  }

  /** Reads 32 bits of a register. */
  readRegister(offset: number): number {
    return this.parts.registers.read(offset);
  }

  /** All commands that are consumed are complete. */
  completeCommands(): void {}

  /** Carries out one command of the queue. @returns false if there was none that could be. */
  processCommand(): boolean {
    const processed = this.#commands.processOne();
    this.#countEpochs();
    return processed;
  }

  /** Carries out commands until the queue is empty or has stopped. */
  processCommands(): void {
    while (this.processCommand());
  }

  /** Translates a request. The answer is written again by the next call. */
  translate(request: DeviceRequest): DeviceAnswer {
    if (this.#hits.translate(request)) return this.#translation.answer;
    this.#translation.begin(request);
    return this.#translation.run();
  }

  /** Begins a request that is then stepped; the answer is in `answer` when `done`. */
  begin(request: DeviceRequest): Translation {
    const translation = this.createTranslation();
    translation.begin(request);
    return translation;
  }

  /** An endpoint that hears of CMD_ATC_INV for its StreamID. */
  attach(streamId: number, endpoint: AtsEndpoint): void {
    this.#endpoints.set(streamId, {
      invalidate: (...span) => {
        this.#atcEpoch++;
        endpoint.invalidate(...span);
      },
    });
  }

  /** What has become of stalled transactions since this was last asked, oldest first. */
  takeResumed(): Resumed[] {
    return this.#stalled.take();
  }

  record(record: Int32Array, stalled: boolean): void {
    this.#events.record(record, stalled);
  }

  stall(transaction: Transaction): number {
    return this.#stalled.add(transaction);
  }

  /** Forgets everything that is cached: what a reset of the device does. */
  forget(): void {
    const { tags, configCache, iotlb, walkCache } = this.parts;
    for (const world of [0, 1, 2]) tags.dropWorld(world);
    configCache.invalidateAll();
    iotlb.clear();
    walkCache.clear();
    this.#countEpochs();
  }

  /** Kept as plain numbers, because every translation reads them. */
  #countEpochs(): void {
    const { configCache, tags } = this.parts;
    this.configEpoch = configCache.epoch + this.#registerEpoch;
    this.epoch = this.configEpoch + tags.epoch + this.#atcEpoch;
  }

  protected createTags(options: TranslationTagsOptions): TranslationTags {
    return new TranslationTags(options);
  }

  protected createIotlb(tags: TranslationTags, size: CacheSize): Iotlb {
    return new Iotlb(tags, size);
  }

  protected createWalkCache(tags: TranslationTags, size: CacheSize): WalkCache {
    return new WalkCache(tags, size);
  }

  protected createConfigCache(options: ConfigCacheOptions): ConfigCache {
    return new ConfigCache(options);
  }

  protected createEventQueue(memory: DeviceMemory, registers: Registers): EventQueue {
    return new EventQueue(memory, registers);
  }

  protected createInvalidations(parts: DeviceParts, endpoints: ReadonlyMap<number, AtsEndpoint>): Invalidations {
    return new Invalidations(parts, endpoints);
  }

  protected createProcessor(parts: DeviceParts, invalidations: Invalidations, stalls: Stalls): CommandProcessor {
    return new CommandProcessor(parts, invalidations, stalls);
  }

  protected createTranslation(): Translation {
    return new Translation(this);
  }
}
