/** Where the structures of a world are that entries point to, all in the region of `REGION`. */
export const AT = {
  /** Tables of context descriptors, linear and of two levels; the latter's second level. */
  cdsA: 0x4102_0000,
  cdsB: 0x4102_1000,
  l1Cds: 0x4102_2000,
  l2Cds: 0x4103_0000,
  /** Stage 1 tables of 25 bits of input address: level 2. */
  stage1A: 0x4102_4000,
  stage1B: 0x4102_6000,
  stage1P: 0x4102_8000,
  /** Stage 2 tables of 32 bits of input address: level 1. */
  stage2A: 0x4102_a000,
  stage2B: 0x4102_c000,
  /** Bits of the input address that are none: stage 1. */
  t0sz: 39,
} as const;

/** Memory of a world: what the kernel allocates from, then the fixed structures of `AT`. */
export const REGION = { base: 0x4100_0000, kernelFrames: 32, frames: 80 } as const;
