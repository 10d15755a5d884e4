/** What the traces of a hazard come to on a device: for the table of the tests. */
import { search } from '../../../engine/search/search.ts';
import { replayOn, startHardware, type EndToEndFamily, type EndToEndTarget } from '../index.ts';

/**
 * Replays the shortest schedule under which the architecture shows a hazard, for each of its litmus tests, on a device.
 *
 * @returns the rule that a DMA breaks; 'software' if the software ends by itself; 'hidden' if the device does not show it,
 *   'refused' if no litmus can run there; or a sentence about what is wrong with the device.
 */
export async function show(family: EndToEndFamily, hazard: string, target: EndToEndTarget): Promise<string> {
  let outcome = 'refused';
  for (const { hazards, configuration, program } of family.family.litmus) {
    if (!hazards.includes(hazard)) continue;
    const hardware = await startHardware(target, family, configuration);
    try {
      if (family.whyNot(configuration, program, hardware.features) !== undefined) continue;
      const { schedule = [] } = search(family.family.world(configuration, hazard).load(program), { order: 'bfs' });
      const result = await replayOn(family, { configuration, hazard, program, schedule }, hardware);
      if (result.verdict === 'not-possible') continue;
      const { violation, deviations, misfit, failure } = result;
      if (misfit !== undefined) return `the schedule does not fit at step ${misfit}`;
      if (deviations[0] !== undefined) return deviations[0].message;
      if (violation !== undefined) return violation.failure.rule;
      outcome = failure === undefined ? 'hidden' : 'software';
    } finally {
      await hardware.stop();
    }
  }
  return outcome;
}
