import type { Store } from '../../../engine/store.ts';
import { codeOf, requestOf, type PageRequest } from './page-request.ts';

/** What becomes of a message that reaches the IOMMU. */
export type Arrival =
  | 'queued'
  /** The queue has overflowed: a last request is answered by hardware at once, with Success. */
  | 'answered'
  /** The queue has overflowed: what nobody waits for is lost. */
  | 'dropped';

/**
 * The page request queue of an IOMMU: a ring in memory with one place that stays empty, an interrupt that is pending until
 * software clears it, and an overflow condition that keeps everything out until software clears that (IHI 0070 §8.1; the
 * registers are those of VT-d as Linux drives them: PQH, PQT, PRS.PPR, PRS.PRO).
 */
export class PageRequestQueue {
  readonly #store: Store;
  readonly #entries: number;
  readonly #ring: number;
  readonly #head: number;
  readonly #tail: number;
  readonly #pending: number;
  readonly #overflow: number;

  /** @param entries places of the ring, of which one stays empty. */
  constructor(store: Store, entries: number) {
    this.#store = store;
    this.#entries = entries;
    this.#ring = store.reserve(entries, 'page request queue', (_at, code) =>
      code === 0 ? 'empty' : describe(requestOf(code)),
    );
    this.#head = store.reserve(1, 'PQH', (_at, head) => String(head));
    this.#tail = store.reserve(1, 'PQT', (_at, tail) => String(tail));
    this.#pending = store.reserve(1, 'PPR', (_at, pending) => String(pending));
    this.#overflow = store.reserve(1, 'PRO', (_at, overflow) => String(overflow));
  }

  /** A message arrives. */
  receive(request: PageRequest): Arrival {
    const store = this.#store;
    const next = (this.tail + 1) % this.#entries;
    if (this.overflow || next === this.head) {
      store.set(this.#overflow, 1);
      store.set(this.#pending, 1);
      return request.last && !request.stop ? 'answered' : 'dropped';
    }
    store.set(this.#ring + this.tail, codeOf(request));
    store.set(this.#tail, next);
    store.set(this.#pending, 1);
    return 'queued';
  }

  /** PQH: where software goes on. */
  get head(): number {
    return this.#store.get(this.#head);
  }

  /** Software has taken everything before `head`. */
  set head(head: number) {
    for (let at = this.head; at !== head; at = this.after(at)) this.#store.set(this.#ring + at, 0);
    this.#store.set(this.#head, head);
  }

  /** PQT: where the next message goes. */
  get tail(): number {
    return this.#store.get(this.#tail);
  }

  /** PRS.PPR: there is something that software has not been told of. */
  get pending(): boolean {
    return this.#store.get(this.#pending) === 1;
  }

  /** Software writes 1 to PRS.PPR. */
  clearPending(): void {
    this.#store.set(this.#pending, 0);
  }

  /** PRS.PRO. */
  get overflow(): boolean {
    return this.#store.get(this.#overflow) === 1;
  }

  /** Software writes 1 to PRS.PRO. */
  clearOverflow(): void {
    this.#store.set(this.#overflow, 0);
  }

  /** The place after another one. */
  after(at: number): number {
    return (at + 1) % this.#entries;
  }

  /** The message in a place, as a number (`requestOf`). */
  codeAt(at: number): number {
    return this.#store.get(this.#ring + at);
  }

  /** Places from head to tail. */
  get places(): number[] {
    const places: number[] = [];
    for (let at = this.head; at !== this.tail; at = this.after(at)) places.push(at);
    return places;
  }
}

/** A message in a few words. */
export function describe({ device, pasid, group, last, stop, page }: PageRequest): string {
  if (stop) return `dev${device}: Stop Marker, PASID ${pasid}`;
  return `dev${device}: PASID ${pasid}, PRG ${group}, page ${page}${last ? ', last' : ''}`;
}
