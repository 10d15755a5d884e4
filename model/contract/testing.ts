import { Store } from '../../engine/store.ts';
import { READ, WRITE, type AttachTarget, type ContractEvent, type Permissions } from './events.ts';
import type { Observed } from './translation-state.ts';
import { TranslationMonitor } from './translation.ts';
import { PAGE_SIZE, type ContractWorld } from './world.ts';

/** Events, in groups or not. */
export type Events = ContractEvent | ContractEvent[] | ContractEvent[][];

/** A small world for tests: two streams (one with a substream), two spaces, two pages. */
export const WORLD: ContractWorld = {
  streams: [
    { stream: 8, substream: 0 },
    { stream: 8, substream: 1 },
  ],
  spaces: 2,
  pages: [0x1000, 0x2000],
  tags: 8,
};

export const RW: Permissions = READ | WRITE;
/** Physical pages of tests. */
export const G = 0x5000;
export const H = 0x6000;

/** Shorthands for events: of stream 8, substream 0 and of page 0x1000 unless told otherwise. */
export const the = {
  mapBegin: (space: number, pa: number, permissions = RW, iova = 0x1000): ContractEvent => ({
    type: 'map.begin',
    space,
    iova,
    size: PAGE_SIZE,
    pa,
    permissions,
  }),
  mapEnd: (space: number, iova = 0x1000): ContractEvent => ({ type: 'map.end', space, iova, size: PAGE_SIZE }),
  mapFail: (space: number, pa: number): ContractEvent => ({
    type: 'map.fail',
    space,
    iova: 0x1000,
    size: PAGE_SIZE,
    pa,
    permissions: RW,
  }),
  unmapBegin: (space: number, iova = 0x1000, size = PAGE_SIZE): ContractEvent => ({
    type: 'unmap.begin',
    space,
    iova,
    size,
  }),
  unmapEnd: (space: number, lazy = false, iova = 0x1000, size = PAGE_SIZE): ContractEvent => ({
    type: 'unmap.end',
    space,
    iova,
    size,
    lazy,
  }),
  flushBegin: (space: number): ContractEvent => ({ type: 'flush.begin', space }),
  flushEnd: (space: number): ContractEvent => ({ type: 'flush.end', space }),
  attachBegin: (to: AttachTarget, hitless = false, substream = 0): ContractEvent => ({
    type: 'attach.begin',
    stream: 8,
    substream,
    to,
    hitless,
  }),
  attachEnd: (substream = 0): ContractEvent => ({ type: 'attach.end', stream: 8, substream }),
  attachFail: (to: AttachTarget): ContractEvent => ({ type: 'attach.fail', stream: 8, substream: 0, to }),
};

/** The events of a map that has returned. */
export function mapped(space: number, pa: number, permissions = RW, iova = 0x1000): ContractEvent[] {
  return [the.mapBegin(space, pa, permissions, iova), the.mapEnd(space, iova)];
}

/** The events of an unmap that has returned. */
export function unmapped(space: number, lazy = false): ContractEvent[] {
  return [the.unmapBegin(space), the.unmapEnd(space, lazy)];
}

/** The events of an attach of stream 8, substream 0, that has returned. */
export function attached(to: AttachTarget): ContractEvent[] {
  return [the.attachBegin(to), the.attachEnd()];
}

/** A result of an access. */
export function translated(pa: number, permissions = RW): Observed {
  return { kind: 'translated', pa, permissions };
}

/** A monitor of the small world that has seen these events. */
export function monitorAfter(...events: Events[]): TranslationMonitor {
  const monitor = new TranslationMonitor(new Store(), WORLD);
  for (const event of events.flat(2)) monitor.on(event);
  return monitor;
}

/** Results that tests ask about, by name. */
const RESULTS = {
  G: translated(G),
  'G, read-only': translated(G, READ),
  'G, no access': translated(G, 0),
  H: translated(H),
  /** A frame that nobody maps. */
  stranger: translated(0x9000),
  /** Addresses that no mapping can have. */
  'off a page': translated(G + 8),
  'beyond 2 TiB': translated(2 ** 41),
  fault: { kind: 'fault' },
  abort: { kind: 'abort' },
  bypass: { kind: 'bypass' },
  conflict: { kind: 'conflict' },
  unpredictable: { kind: 'unpredictable' },
} satisfies Record<string, Observed>;

/** For each named result of stream index 0 at page index 0: the rule it breaks and the promise, or "permitted". */
export function rulings(...events: Events[]): Record<string, string> {
  return rulingsOf(monitorAfter(...events));
}

/** The same for a monitor, a stream index and a page index. */
export function rulingsOf(monitor: TranslationMonitor, stream = 0, page = 0): Record<string, string> {
  const ruled: Record<string, string> = {};
  for (const [name, result] of Object.entries(RESULTS)) {
    const verdict = monitor.allows(stream, page, result);
    ruled[name] = verdict === undefined ? PERMITTED : `${verdict.rule} (${verdict.data['promise']})`;
  }
  return ruled;
}

export const PERMITTED = 'permitted';
