import type { Hazard } from './family.ts';

/**
 * A hazard of a family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
export function hazardNamed<H extends Hazard>(family: string, hazards: readonly H[], id: string): H {
  const found = hazards.find((hazard) => hazard.id === id);
  if (found !== undefined) return found;
  const known = hazards.map((hazard) => hazard.id).join(', ');
  throw new RangeError(`family ${family} has no hazard "${id}"; it has ${known}`);
}
