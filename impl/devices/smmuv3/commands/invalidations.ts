import type { AddressRange } from '../caches/index.ts';
import { WORLD } from '../caches/index.ts';
import type { DeviceParts } from '../parts.ts';

/** A device that holds translations it was given: it hears of CMD_ATC_INV. */
export interface AtsEndpoint {
  /** @param substream -1 for a command without SubstreamID. Counts pages of 4 KiB; 2^52 pages are everything. */
  invalidate(substream: number, global: boolean, firstPage: number, pages: number): void;
}

/**
 * What each invalidation drops. Every command is a method of its own, so that a mistake in one is a subclass with one
 * method.
 */
export class Invalidations {
  protected readonly parts: DeviceParts;
  protected readonly endpoints: ReadonlyMap<number, AtsEndpoint>;

  constructor(parts: DeviceParts, endpoints: ReadonlyMap<number, AtsEndpoint>) {
    this.parts = parts;
    this.endpoints = endpoints;
  }

  /** CMD_CFGI_STE (IHI 0070 §4.3.1). */
  ste(streamId: number, leaf: boolean): void {
    this.parts.configCache.invalidateSte(streamId, leaf);
  }

  /** CMD_CFGI_STE_RANGE (§4.3.2): 2^(range+1) StreamIDs, aligned to that; 31 is CMD_CFGI_ALL. */
  steRange(streamId: number, range: number): void {
    if (range === 31) return this.parts.configCache.invalidateAll();
    const count = 2 ** (range + 1);
    this.parts.configCache.invalidateSteRange(Math.floor(streamId / count) * count, count);
  }

  /** CMD_CFGI_CD (§4.3.3). */
  cd(streamId: number, substream: number, leaf: boolean): void {
    this.parts.configCache.invalidateCd(streamId, substream, leaf);
  }

  /** CMD_CFGI_CD_ALL (§4.3.4). */
  cdAll(streamId: number): void {
    this.parts.configCache.invalidateCdAll(streamId);
  }

  /** CMD_TLBI_NH_ALL (§4.4.2.1). */
  stageOneAll(vmid: number): void {
    this.parts.tags.dropStage1(WORLD.NS_EL1, vmid);
  }

  /** CMD_TLBI_NH_ASID, CMD_TLBI_EL2_ASID (§4.4.2.2, §4.4.2.10). */
  asid(world: number, vmid: number, asid: number): void {
    this.parts.tags.dropAsid(world, vmid, asid);
  }

  /** CMD_TLBI_NH_VA, CMD_TLBI_EL2_VA (§4.4.2.4, §4.4.2.8). */
  va(world: number, vmid: number, asid: number, range: AddressRange): void {
    this.parts.iotlb.dropVa(world, vmid, asid, range);
    this.parts.walkCache.dropVa(world, vmid, asid, range);
  }

  /** CMD_TLBI_NH_VAA, CMD_TLBI_EL2_VAA (§4.4.2.3, §4.4.2.9). */
  vaAllAsids(world: number, vmid: number, range: AddressRange): void {
    this.parts.iotlb.dropVaAllAsids(world, vmid, range);
    this.parts.walkCache.dropVaAllAsids(world, vmid, range);
  }

  /** CMD_TLBI_EL2_ALL (§4.4.2.7). */
  el2All(): void {
    this.parts.tags.dropWorld(WORLD.NS_EL2);
    this.parts.tags.dropWorld(WORLD.NS_EL2_E2H);
  }

  /** CMD_TLBI_S2_IPA (§4.4.3.1): entries of stage 2 alone; those of both stages may stay. */
  ipa(vmid: number, range: AddressRange): void {
    this.parts.iotlb.dropIpa(vmid, range);
    this.parts.walkCache.dropIpa(vmid, range);
  }

  /** CMD_TLBI_S12_VMALL (§4.4.3.2). */
  vmAll(vmid: number): void {
    this.parts.tags.dropVmid(vmid);
  }

  /** CMD_TLBI_NSNH_ALL (§4.4.4.1). */
  all(): void {
    this.parts.tags.dropWorld(WORLD.NS_EL1);
  }

  /** CMD_ATC_INV (§4.5.1): 2^size pages of 4 KiB, aligned to that. */
  atc(streamId: number, substream: number, global: boolean, page: number, size: number): void {
    const pages = 2 ** size;
    this.endpoints.get(streamId)?.invalidate(substream, global, Math.floor(page / pages) * pages, pages);
  }
}
