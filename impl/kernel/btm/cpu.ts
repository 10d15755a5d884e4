import type { Arm64Cpu } from '../arm64/index.ts';

/** The CPUs that a kernel runs on. */
export interface BtmCpu extends Arm64Cpu {
  /** The CPU that an agent of the engine is. Inside a step. */
  smp_processor_id(agent: number): number;
}
