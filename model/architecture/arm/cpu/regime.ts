import { levelShift, startLevel, type GranuleBits } from '../layout/descriptor.ts';
import { interpretationKey, type Interpretation } from '../translation/descriptor-step.ts';

/** How the tables of a stage are laid out: what TCR_EL1 or VTCR_EL2 says, the same on all CPUs. */
export interface Regime {
  /** log2 of the granule in bytes. */
  readonly granule: GranuleBits;
  /** log2 of the bytes that the tables translate: 64 - TxSZ. */
  readonly inputBits: number;
  /**
   * Level at which walks start. By default the one at which a single table serves; one level further down, stage 2 has up
   * to sixteen tables side by side (Arm ARM D8.2).
   */
  readonly level?: number;
}

/** Where walks of a stage begin, and what the descriptors on the way mean. */
export interface WalkStart {
  readonly interpretation: Interpretation;
  readonly level: number;
}

/** log2 of the tables that may stand side by side at the start of stage 2. */
const CONCATENATION_BITS = 4;

/**
 * The least that there is with 4 KiB pages (TxSZ = 48, FEAT_TTST): one level of 16 entries.
 */
export const SMALLEST: Regime = { granule: 12, inputBits: 16 };

/**
 * A stage as Linux sets it up, without any of the options.
 *
 * @param region of stage 1: 0 for the lower half of the address space (TTBR0), 1 for the upper (TTBR1).
 * @throws RangeError if the tables do not fit the level at which walks start.
 */
export function walkStart(stage: 1 | 2, { granule, inputBits, level }: Regime, region: 0 | 1 = 0): WalkStart {
  const start = level ?? startLevel(granule, inputBits);
  const entryBits = inputBits - levelShift(granule, start);
  if (start < 0 || start > 3 || entryBits < 1 || entryBits > granule - 3 + (stage === 2 ? CONCATENATION_BITS : 0))
    throw new RangeError(
      `walks of ${inputBits} bits with a granule of 2^${granule} bytes do not start at level ${start}`,
    );
  const controls: Omit<Interpretation, 'key'> = {
    granule,
    region,
    inputBits,
    outputBits: 48,
    affd: false,
    had: false,
    wxn: false,
    pan: false,
    tbi: false,
    el2: false,
    stage2: stage === 1 ? undefined : { xnx: false, fwb: false, ptw: false },
  };
  return { interpretation: { key: interpretationKey(controls), ...controls }, level: start };
}
