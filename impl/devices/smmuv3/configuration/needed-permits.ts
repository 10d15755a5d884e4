import { PERMIT } from '../walks/descriptor.ts';
import type { StreamConfig } from './stream-config.ts';

/** Nothing is needed where nothing translates. */
export const NONE_NEEDED: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0];

/** Where `StreamConfig.needed` has what an access needs. */
export function accessIndex(write: boolean, privileged: boolean, instruction: boolean): number {
  return (write ? 4 : 0) | (privileged ? 2 : 0) | (instruction ? 1 : 0);
}

/** Bits of `PERMIT` that each access needs, after STE.PRIVCFG and INSTCFG (§5.2); a write is always data (§13.1.2). */
export function neededPermits(config: Pick<StreamConfig, 'stage1' | 'stageTwo' | 'privcfg' | 'instcfg'>): number[] {
  const { stage1, stageTwo, privcfg, instcfg } = config;
  return NONE_NEEDED.map((_, index) => {
    const write = (index & 4) !== 0;
    const privileged = privcfg >= 2 ? privcfg === 3 : (index & 2) !== 0;
    const instruction = !write && (instcfg >= 2 ? instcfg === 3 : (index & 1) !== 0);
    return (
      (stage1 ? ofStageOne(write, privileged, instruction) : 0) |
      (stageTwo === undefined ? 0 : ofStageTwo(write, privileged, instruction))
    );
  });
}

function ofStageOne(write: boolean, privileged: boolean, instruction: boolean): number {
  if (privileged) return write ? PERMIT.PW : instruction ? PERMIT.PX : PERMIT.PR;
  return write ? PERMIT.UW : instruction ? PERMIT.UX : PERMIT.UR;
}

function ofStageTwo(write: boolean, privileged: boolean, instruction: boolean): number {
  if (write) return PERMIT.S2W;
  if (!instruction) return PERMIT.S2R;
  return privileged ? PERMIT.S2PX : PERMIT.S2UX;
}
