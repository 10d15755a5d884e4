import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import { PasidMonitor } from './pasid.ts';

/** PASID 1 of dev0: the owner that its entry leads to, -1 for none, and the set of those cached. */
interface Hardware {
  entry: number;
  cached: number;
}

/** What the monitor says after a sequence, or of its last event; nothing was wrong before. */
function verdict(
  events: readonly (PasidEvent | Partial<Hardware>)[],
  { strict = true } = {},
): { readonly last: string | undefined; readonly state: string | undefined } {
  const hardware: Hardware = { entry: -1, cached: 0 };
  const use = {
    entry: (device: number, pasid: number) => (device === 0 && pasid === 1 ? hardware.entry : -1),
    cached: (device: number, pasid: number) => (device === 0 && pasid === 1 ? hardware.cached : 0),
  };
  const monitor = new PasidMonitor(new Store(), { devices: 2, pasids: 2, owners: 2, strict }, use);
  let last: string | undefined;
  for (const event of events) {
    expect(last).toBeUndefined();
    if ('type' in event) last = monitor.on(event)?.rule;
    else Object.assign(hardware, event);
  }
  return { last, state: monitor.check()?.rule };
}

const alloc = (owner = 0): PasidEvent => ({ type: 'pasid.alloc', pasid: 1, owner });
const reclaim: PasidEvent = { type: 'pasid.reclaim', pasid: 1 };
const returned = (owner: number): PasidEvent => ({ type: 'pasid.returned', pasid: 1, owner });
const unbound = (owner: number, by = owner): PasidEvent => ({ type: 'pasid.unbound', pasid: 1, device: 0, owner, by });
const translated = (pasid: number): PasidEvent => ({ type: 'pasid.translated', owner: 0, pasid });

test.each<[string, readonly (PasidEvent | Partial<Hardware>)[], string | undefined]>([
  ['a number that comes and goes', [alloc(), returned(0), reclaim, alloc(1), returned(1)], undefined],
  ['a number that is bound when it goes', [alloc(), { entry: 0 }, reclaim], 'reclaimed-while-live'],
  ['a number that is cached when it goes', [alloc(), { cached: 1 }, reclaim], 'reclaimed-while-live'],
  ['a number with two owners', [alloc(), alloc(1)], 'two-owners'],
  ['a number that is returned to somebody else', [alloc(), returned(1)], 'two-owners'],
  ['a number that is returned and free', [alloc(), reclaim, returned(0)], 'two-owners'],
  ['unbind that leaves the entry', [alloc(), { entry: 0 }, unbound(0)], 'reachable-after-unbind'],
  ['unbind that leaves what is cached', [alloc(), { cached: 1 }, unbound(0)], 'reachable-after-unbind'],
  ['unbind, with another owner cached', [alloc(), { cached: 2 }, unbound(0)], undefined],
  ['unbind by somebody else', [alloc(), unbound(0, 1)], 'unbound-by-another'],
  ['too many numbers', [{ type: 'pasid.quota', numbers: 2, quota: 1 }], 'quota-exceeded'],
  ['as many numbers as there may be', [{ type: 'pasid.quota', numbers: 1, quota: 1 }], undefined],
])('%s', (_what, events, rule) => {
  expect(verdict(events).last).toBe(rule);
});

test.each<[string, readonly (PasidEvent | Partial<Hardware>)[], string | undefined]>([
  ['what leads to its owner', [alloc(), { entry: 0 }], undefined],
  ['what leads to another one', [alloc(), { entry: 1 }], 'wrong-space'],
  ['a translation to what is bound', [alloc(), { entry: 0 }, translated(1)], undefined],
  ['a translation to what is not bound', [alloc(), translated(1)], 'notify-order'],
  ['a translation to a number of somebody else', [alloc(1), { entry: 1 }, translated(1)], 'translated-unowned'],
  ['a translation that is gone', [alloc(1), translated(0)], undefined],
])('at any time: %s', (_what, events, rule) => {
  expect(verdict(events).state).toBe(rule);
});

test('an allocator may rely on a number not coming round soon', () => {
  const life = [alloc(), { entry: 0 }, reclaim];
  expect(verdict(life, { strict: false }).last).toBeUndefined();
  expect(verdict([...life, alloc(1)], { strict: false }).last).toBe('reused-while-live');
});
