import { describe, expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import { PasidMonitor, type PasidUse, type PasidWorld } from './pasid.ts';

const WORLD: PasidWorld = { devices: 2, pasids: 2, owners: 3, strict: true };

/** Every device and PASID, each with what it may be. */
const PLACES = [0, 1].flatMap((device) => [1, 2].map((pasid) => ({ device, pasid })));

/** Hardware where nothing is but what is said of one PASID of one device. */
function hardware(at: { device: number; pasid: number }, there: { entry?: number; cached?: number }): PasidUse {
  const is = (device: number, pasid: number): boolean => device === at.device && pasid === at.pasid;
  return {
    entry: (device, pasid) => (is(device, pasid) ? (there.entry ?? -1) : -1),
    cached: (device, pasid) => (is(device, pasid) ? (there.cached ?? 0) : 0),
  };
}

const NOTHING = hardware({ device: -1, pasid: -1 }, {});

function after(events: readonly PasidEvent[], use: PasidUse, world: Partial<PasidWorld> = {}): PasidMonitor {
  const monitor = new PasidMonitor(new Store(), { ...WORLD, ...world }, use);
  for (const event of events) monitor.on(event);
  return monitor;
}

const alloc = (pasid: number, owner: number): PasidEvent => ({ type: 'pasid.alloc', pasid, owner });
const reclaim = (pasid: number): PasidEvent => ({ type: 'pasid.reclaim', pasid });
const translated = (owner: number, pasid: number): PasidEvent => ({ type: 'pasid.translated', owner, pasid });

describe.each(PLACES)('PASID $pasid of dev$device', (place) => {
  const { device, pasid } = place;

  test('leads to the owner of the number', () => {
    for (const entry of [0, 1, 2])
      for (const owner of [0, 1, 2]) {
        const monitor = after([alloc(pasid, owner)], hardware(place, { entry }));
        expect(monitor.check()?.rule).toBe(entry === owner ? undefined : 'wrong-space');
      }
  });

  test('of which nobody owns the number is looked at when that is given out', () => {
    const monitor = after([], hardware(place, { entry: 0 }));
    expect(monitor.check()).toBeUndefined();
    expect(monitor.on(alloc(pasid, 0))?.rule).toBe('reused-while-live');
  });

  test('is whole, where hardware can tell', () => {
    const torn = (ofDevice: number, ofPasid: number): boolean => ofDevice === device && ofPasid === pasid;
    expect(after([], { ...NOTHING, torn }).check()?.rule).toBe('torn-entry');
    expect(after([], { ...NOTHING, torn: () => false }).check()).toBeUndefined();
  });

  test('is what KVM may translate to, as long as it is bound by it', () => {
    for (const owner of [0, 1, 2]) {
      const events = [alloc(pasid, owner), translated(owner, pasid)];
      expect(after(events, hardware(place, { entry: owner })).check()).toBeUndefined();
      expect(after(events, NOTHING).check()?.rule).toBe('notify-order');
      expect(after([...events, translated(owner, 0)], NOTHING).check()).toBeUndefined();
    }
  });

  test('does not hold up another number', () => {
    const other = 3 - pasid;
    const monitor = after([alloc(pasid, 0), alloc(other, 1)], hardware(place, { entry: 0, cached: 1 }));
    expect(monitor.on(reclaim(other))).toBeUndefined();
    expect(monitor.on(alloc(other, 2))).toBeUndefined();
    expect(monitor.on(reclaim(pasid))?.rule).toBe('reclaimed-while-live');
  });
});

test('a translation of one owner is not that of another', () => {
  const events = [alloc(1, 1), alloc(2, 2), translated(1, 1), translated(2, 2)];
  const monitor = after(events, { entry: (_device, pasid) => pasid, cached: () => 0 });
  expect(monitor.check()).toBeUndefined();
  monitor.on(translated(1, 2));
  expect(monitor.check()).toMatchObject({
    rule: 'translated-unowned',
    message: 'KVM translates to PASID 2 for VM1, and VM2 owns it.',
  });
});

describe('what is said', () => {
  const entry = { entry: () => 0, cached: () => 0 };
  const cached = { entry: () => -1, cached: () => 6 };
  const holders = { ...cached, holders: (_d: number, pasid: number, owner: number) => `in ${pasid}/${owner}` };
  const message = (use: PasidUse, owner?: string): string | undefined =>
    after([alloc(1, 0)], use, owner === undefined ? {} : { owner }).on(reclaim(1))?.message;

  test('names the entry, or the first that is cached, and where', () => {
    expect(message(entry)).toBe('PASID 1 goes back to the pool while its entry of dev0 leads to VM0.');
    expect(message(cached)).toBe('PASID 1 goes back to the pool while dev0 may have VM1 cached under it.');
    expect(message(holders)).toBe('PASID 1 goes back to the pool while dev0 may have VM1 cached under it in 1/1.');
    expect(message(entry, 'mm')).toBe('PASID 1 goes back to the pool while its entry of dev0 leads to mm0.');
  });

  test('names who owns the number', () => {
    const monitor = after([alloc(1, 0)], NOTHING);
    const returned = (pasid: number): PasidEvent => ({ type: 'pasid.returned', pasid, owner: 2 });
    expect(monitor.on(returned(1))?.message).toBe('PASID 1 is returned to VM2, and VM0 owns it.');
    expect(monitor.on(returned(2))?.message).toBe('PASID 2 is returned to VM2, and nobody owns it.');
  });
});
