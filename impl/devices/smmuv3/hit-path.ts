import { STAGES } from './caches/index.ts';
import { accessIndex } from './configuration/needed-permits.ts';
import { canonicalHigh, ROUTE } from './configuration/stream-config.ts';
import type { DeviceAnswer, DeviceRequest } from './request.ts';
import type { TransactionHost } from './transaction.ts';

/**
 * What most requests are: an ordinary access whose configuration is decoded and whose translation the TLB holds and
 * permits. It does what `Translation` does with such a request, without its state; everything else is left to that, as if
 * nothing had been tried.
 */
export class HitPath {
  readonly #host: TransactionHost;
  readonly #answer: DeviceAnswer;

  /** @param answer to write into. */
  constructor(host: TransactionHost, answer: DeviceAnswer) {
    this.#host = host;
    this.#answer = answer;
  }

  /** @returns false if the request has to be translated by all its steps. */
  translate(request: DeviceRequest): boolean {
    if (request.kind !== 'untranslated') return false;
    const host = this.#host;
    const { decoded, parts } = host;
    // What is decoded was so with translation on: a change of that makes it void.
    const slot = decoded.find(request.streamId, request.substream, host.configEpoch);
    if (slot < 0) return false;
    const config = decoded.at(slot);
    if (config.route !== ROUTE.TRANSLATE || !config.stage1) return false;
    const { iotlb } = parts;
    const low = request.low | 0;
    const high = canonicalHigh(request.high | 0, config);
    const entry = iotlb.lookup(config.world, config.vmid, config.asid, config.aset, low, high);
    if (entry < 0 || iotlb.stages(entry) !== (config.stageTwo === undefined ? STAGES.STAGE1 : STAGES.COMBINED))
      return false;
    const needed = config.needed[accessIndex(request.write, request.privileged, request.instruction)] as number;
    if ((needed & ~iotlb.permissions(entry)) !== 0) return false;
    const attributes = iotlb.attributes(entry);
    const answer = this.#answer;
    answer.pa = iotlb.output(entry, low, high);
    answer.attributes = attributes & 0xff;
    answer.stage2Attributes = attributes >>> 8;
    answer.kind = 'memory';
    return true;
  }
}
