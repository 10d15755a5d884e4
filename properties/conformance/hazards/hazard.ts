import type { MakeDevice } from '../builtin-device.ts';

/** A mistake that a device model can make: our device with one routine replaced. */
export interface DeviceHazard {
  /** Its name, for reports. */
  readonly name: string;
  /** What the device does wrongly. */
  readonly mistake: string;
  /** The rule that it breaks, or a device that was seen to. */
  readonly source: string;
  /**
   * The check that must find it, unguided: programs of the conformance check, programs interleaved with steps of the
   * device, or the wide check with substreams and ATS.
   */
  readonly check: 'programs' | 'interleaved' | 'wide';
  readonly make: MakeDevice;
}
