import { huntDevice, minimiseDevice, type DeviceHazard } from '../../properties/conformance/hazards/index.ts';
import type { Hunt } from '../../properties/hunt.ts';
import { conformanceFamily } from '../../traces/conformance.ts';
import { grouped } from '../../traces/report/text.ts';
import type { Terminal } from '../terminal.ts';
import type { Interrupt } from '../interrupt.ts';
import type { HazardResult } from '../kill-matrix.ts';
import type { HazardsCommand } from './hazards.ts';

/** All hunts for one mistake of a device, in this process. Its programs have no schedule to choose: one strategy. */
export const huntDeviceHazard = async (
  hazard: DeviceHazard,
  { seeds, seconds, minimiseSeconds }: HazardsCommand,
  terminal: Terminal,
  interrupt: Interrupt,
): Promise<HazardResult> => {
  const hunts: Hunt[] = [];
  for (let seed = 1; seed <= seeds && !interrupt.requested(); seed++) {
    const one = await huntDevice(hazard, {
      seed,
      seconds,
      stop: interrupt.requested,
      onProgress: (programs) => terminal.progress(`${hazard.name} seed ${seed}: ${grouped(programs)} programs`),
    });
    // A hunt that was cut off says nothing.
    if (one.kill === undefined && interrupt.requested()) break;
    hunts.push(one);
  }
  const result: HazardResult = {
    family: conformanceFamily,
    hazard: hazard.name,
    expected: [hazard.check],
    strategies: [{ strategy: 'random', hunts }],
  };
  if (interrupt.requested()) return { ...result, interrupted: true };
  const first = hunts.find(({ kill }) => kill !== undefined);
  if (minimiseSeconds <= 0 || first === undefined) return result;
  const finding = await minimiseDevice(hazard, {
    seed: first.seed,
    seconds: minimiseSeconds,
    signal: interrupt.signal,
  });
  if (finding === undefined) return result;
  return { ...result, minimal: { operations: finding.program.operations.length, proved: finding.minimal } };
};
