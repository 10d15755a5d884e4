import { step, type Task } from '../../../engine/step.ts';
import { IntelSvm, type IoasidKernel } from '../../../impl/kernel/ioasid/index.ts';

/** A bind that asks whether the device is there, and then takes the lock. */
export function asksEarly(): new (kernel: IoasidKernel) => IntelSvm {
  return class extends IntelSvm {
    override *bind_gpasid(id: number, device: number, set = 0): Task<number> {
      if (!(yield* super.isPresent(device))) return 0;
      return yield* super.bind_gpasid(id, device, set);
    }

    protected override *isPresent(): Task<boolean> {
      return yield* step('asked before', () => true);
    }
  };
}
