import type { Configuration, Counters, Family, World } from '../family.ts';
import { addCounters } from './summary.ts';

/** Worlds kept built; the one used longest ago makes room. */
const WORLDS_MAX = 24;

/** The worlds of a campaign: built once for each configuration, as long as there is room. */
export class Worlds {
  readonly #family: Family;
  readonly #hazard: string | undefined;
  readonly #worlds = new Map<string, World>();
  /** What worlds had counted that are no longer kept. */
  readonly #retired: Counters = { witnesses: {}, operations: {} };

  constructor(family: Family, hazard: string | undefined) {
    this.#family = family;
    this.#hazard = hazard;
  }

  /** The world of a configuration. */
  at(configuration: Configuration): World {
    const key = JSON.stringify(configuration);
    const world = this.#worlds.get(key) ?? this.#family.world(configuration, this.#hazard);
    this.#worlds.delete(key);
    this.#worlds.set(key, world);
    const [oldest] = this.#worlds.keys();
    if (this.#worlds.size > WORLDS_MAX && oldest !== undefined) {
      const retired = this.#worlds.get(oldest);
      if (retired !== undefined) addCounters(this.#retired, retired.counters);
      this.#worlds.delete(oldest);
    }
    return world;
  }

  /** What all worlds have counted. */
  counters(): Counters {
    const totals: Counters = {
      witnesses: Object.fromEntries(this.#family.witnesses.map((name) => [name, 0])),
      operations: {},
    };
    addCounters(totals, this.#retired);
    for (const { counters } of this.#worlds.values()) addCounters(totals, counters);
    return totals;
  }
}
