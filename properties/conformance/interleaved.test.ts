import { describe, expect, it } from 'vitest';
import { SmmuV3Device, Translation } from '../../impl/devices/smmuv3/index.ts';
import type { MakeDevice } from './builtin-device.ts';
import { runInterleaved, type InterleavedDifference } from './interleaved.ts';

/** Does not notice that an invalidation has overtaken it, and fills the TLB with what it had read before. */
class LateFill extends Translation {
  protected override isStale(): boolean {
    return false;
  }
}

class DeviceWithLateFills extends SmmuV3Device {
  protected override createTranslation(): Translation {
    return new LateFill(this);
  }
}

const make: MakeDevice = (memory, options) => new SmmuV3Device(memory, options);

describe('our device while software works', () => {
  it('answers only what is permitted at some moment of each translation', () => {
    let overtaken = 0;
    let restarted = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const result = runInterleaved(seed, { make });
      expect(result.difference, `seed ${seed}`).toBeUndefined();
      overtaken += result.overtaken;
      restarted += result.restarted;
    }
    // Vacuous if nothing happened during translations.
    expect(overtaken).toBeGreaterThan(100);
    expect(restarted).toBeGreaterThan(50);
  });

  it('finds a fill that comes after an invalidation which it began before', () => {
    let difference: InterleavedDifference | undefined;
    for (let seed = 1; seed <= 2000 && difference === undefined; seed++)
      difference = runInterleaved(seed, {
        make: (memory, options) => new DeviceWithLateFills(memory, options),
      }).difference;
    expect(difference).toBeDefined();
  });
});
