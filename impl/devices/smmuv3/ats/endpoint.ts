import { Atc, atcFill, type CacheSize } from '../caches/index.ts';
import type { AtsEndpoint } from '../commands/invalidations.ts';
import type { SmmuV3Device } from '../device.ts';
import type { DeviceAnswer, DeviceRequest } from '../request.ts';
import { GRANT } from './completion.ts';

/** What an endpoint wants to access. */
export interface EndpointAccess {
  /** PASID, or -1 for none. */
  readonly substream: number;
  readonly low: number;
  readonly high: number;
  readonly write: boolean;
  readonly privileged: boolean;
  readonly instruction: boolean;
}

/** Size of an ATC. */
export interface EndpointOptions {
  readonly atc?: CacheSize;
  /** Most PASIDs that have translations held at a time: a power of two. */
  readonly contexts?: number;
}

/** Privilege is no part of the tag of an ATC entry: permissions of both are kept side by side. */
const PRIVILEGED_SHIFT = 3;
/** Bits of `GRANT` of one privilege. */
const PRIVILEGE_MASK = GRANT.READ | GRANT.WRITE | GRANT.EXECUTE;

/**
 * A PCIe function with an address translation cache (IHI 0070 §3.9.1): it asks for translations, keeps what it was
 * granted until CMD_ATC_INV names it, and sends its accesses as Translated.
 */
export class Endpoint implements AtsEndpoint {
  readonly streamId: number;
  readonly #device: SmmuV3Device;
  readonly #atc: Atc;
  readonly #fill = atcFill();
  readonly #request: DeviceRequest;

  constructor(device: SmmuV3Device, streamId: number, { atc, contexts = 64 }: EndpointOptions = {}) {
    this.streamId = streamId;
    this.#device = device;
    this.#atc = this.createAtc(atc ?? { sets: 16, ways: 4 }, contexts);
    const attributes = { write: false, privileged: false, instruction: false };
    this.#request = { streamId, substream: -1, low: 0, high: 0, ...attributes, kind: 'untranslated' };
    device.attach(streamId, this);
  }

  /**
   * Makes an access with ATS.
   *
   * @returns the answer to the translated access; that to the Translation Request, if it did not grant the access.
   */
  access(access: EndpointAccess): DeviceAnswer {
    const { substream, low, high } = access;
    const needed = neededOf(access);
    const entry = this.#atc.lookup(substream, low | 0, high | 0);
    if (entry >= 0 && (this.#atc.permissions(entry) & needed) === needed)
      return this.#translated(access, this.#atc.output(entry, low | 0, high | 0));
    const answer = this.#send(access, 'ats', low, high);
    if (answer.kind !== 'completion') return answer;
    const { address, sizeLog2, read, write, execute } = answer.completion;
    const granted = (read ? GRANT.READ : 0) | (write ? GRANT.WRITE : 0) | (execute ? GRANT.EXECUTE : 0);
    if (granted !== 0) this.keep(access, address, sizeLog2, granted << privilegeShift(access));
    if (((granted << privilegeShift(access)) & needed) !== needed) return answer;
    const size = 2 ** sizeLog2;
    return this.#translated(access, address + (((high >>> 0) * 2 ** 32 + (low >>> 0)) % size));
  }

  /** CMD_ATC_INV reaches the endpoint. */
  invalidate(substream: number, global: boolean, firstPage: number, pages: number): void {
    this.#atc.invalidate(substream, global, firstPage, pages);
  }

  /** ATS is switched off in the endpoint, or it is reset. */
  reset(): void {
    this.#atc.reset();
  }

  /** Number of translations held. */
  held(): number {
    return this.#atc.resident();
  }

  protected createAtc(size: CacheSize, contexts: number): Atc {
    return new Atc(size, { contexts });
  }

  /** Holds what was granted. */
  protected keep(access: EndpointAccess, address: number, sizeLog2: number, permissions: number): void {
    const fill = this.#fill;
    fill.substream = access.substream;
    fill.addressLow = access.low | 0;
    fill.addressHigh = access.high | 0;
    // A larger grant is cut to what the cache can hold as one entry.
    fill.shift = Math.min(sizeLog2, 42);
    const within = ((access.high >>> 0) * 2 ** 32 + (access.low >>> 0)) % 2 ** sizeLog2;
    const output = address + within;
    fill.outputLow = (output % 2 ** 32) | 0;
    fill.outputHigh = Math.floor(output / 2 ** 32);
    fill.permissions = permissions;
    this.#atc.insert(fill);
  }

  #translated(access: EndpointAccess, address: number): DeviceAnswer {
    return this.#send(access, 'translated', (address % 2 ** 32) | 0, Math.floor(address / 2 ** 32));
  }

  #send(access: EndpointAccess, kind: 'ats' | 'translated', low: number, high: number): DeviceAnswer {
    const request = this.#request;
    request.substream = access.substream;
    request.low = low;
    request.high = high;
    request.write = access.write;
    request.privileged = access.privileged;
    request.instruction = access.instruction;
    request.kind = kind;
    return this.#device.translate(request);
  }
}

function privilegeShift({ privileged, substream }: EndpointAccess): number {
  return privileged && substream >= 0 ? PRIVILEGED_SHIFT : 0;
}

function neededOf(access: EndpointAccess): number {
  const bits = access.write ? GRANT.WRITE : access.instruction && access.substream >= 0 ? GRANT.EXECUTE : GRANT.READ;
  return (bits & PRIVILEGE_MASK) << privilegeShift(access);
}
