import type { Family } from '../properties/family.ts';
import { deviceHazards, type DeviceHazard } from '../properties/conformance/hazards/index.ts';
import { conformanceFamily } from '../traces/conformance.ts';
import type { Minimise } from './background.ts';
import type { RunCampaigns } from './campaigns.ts';
import { UsageError } from './exit.ts';
import type { AllocatorRows } from './exploration/allocator-rows.ts';
import type { MakeSearcher } from './searchers.ts';
import type { Terminal } from './terminal.ts';

/** What a command works with. Tests give families and a terminal of their own. */
export interface Context {
  readonly terminal: Terminal;
  readonly families: readonly Family[];
  readonly minimise: Minimise;
  readonly searcher: MakeSearcher;
  readonly campaigns: RunCampaigns;
  readonly allocators: AllocatorRows;
  /** Names the sources that run, for checkpoints; undefined: unknown. */
  readonly software: string | undefined;
}

/** A family by name. @throws UsageError naming the families that there are. */
export function findFamily(families: readonly Family[], name: string, others: readonly string[] = []): Family {
  const family = families.find((candidate) => candidate.name === name);
  if (family !== undefined) return family;
  throw unknown('family', name, [...families.map((candidate) => candidate.name), ...others]);
}

/** Checks the name of a hazard. @throws UsageError naming the hazards of the family. */
export function checkHazard(family: Family, hazard: string | undefined): void {
  if (hazard === undefined || family.hazards.some(({ id }) => id === hazard)) return;
  throw unknown(
    `hazard of ${family.name}`,
    hazard,
    family.hazards.map(({ id }) => id),
  );
}

/** The families that have a hazard. @throws UsageError naming all hazards if none has it. */
export function familiesWith(families: readonly Family[], hazard: string): readonly Family[] {
  const owners = families.filter(({ hazards }) => hazards.some(({ id }) => id === hazard));
  if (owners.length > 0) return owners;
  throw unknown(
    'hazard',
    hazard,
    families.flatMap(({ hazards }) => hazards.map(({ id }) => id)),
  );
}

/** A mistake of our device by name. @throws UsageError naming those that there are. */
export function deviceHazard(name: string): DeviceHazard {
  const hazard = deviceHazards.find((candidate) => candidate.name === name);
  if (hazard !== undefined) return hazard;
  throw unknown(
    `hazard of ${conformanceFamily}`,
    name,
    deviceHazards.map((candidate) => candidate.name),
  );
}

/** The error for a name that does not exist: says which exist, and the likeliest one first. */
export function unknown(what: string, name: string, possible: readonly string[]): UsageError {
  const [nearest] = possible.toSorted((a, b) => distance(a, name) - distance(b, name));
  const hint =
    nearest !== undefined && distance(nearest, name) <= Math.max(2, name.length / 3) ? ` Did you mean ${nearest}?` : '';
  const list = possible.length === 0 ? 'There is none.' : `Possible: ${possible.join(', ')}.`;
  return new UsageError(`There is no ${what} "${name}".${hint} ${list}`);
}

/** Edit distance (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
