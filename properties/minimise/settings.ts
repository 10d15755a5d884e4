import fc from 'fast-check';
import type { Configuration, Family } from '../family.ts';

/** Configurations drawn to learn which values a field may have. */
const DRAWN = 200;

/**
 * Other worlds in which a program may need one operation less, because what that did is there from the start: all that
 * differ in one field from the configuration or from the plainest one, and the plainest one itself.
 */
export function otherSettings(family: Family, configuration: Configuration): Configuration[] {
  const drawn = fc.sample(family.configurations, { seed: 1, numRuns: DRAWN });
  const plain = plainest(family, configuration);
  const found = new Map<string, Configuration>();
  const add = (one: Configuration): void => {
    found.set(JSON.stringify(one), one);
  };
  add(plain);
  for (const base of [plain, configuration])
    for (const field of Object.keys(base))
      for (const value of new Set(drawn.map((one) => one[field])))
        if (value !== undefined && value !== base[field]) add({ ...base, [field]: value });
  found.delete(JSON.stringify(configuration));
  return [...found.values()];
}

/** Where the family's way of making a configuration plainer ends. */
function plainest(family: Family, configuration: Configuration): Configuration {
  let plain = configuration;
  for (;;) {
    const [plainer] = family.plainer?.(plain) ?? [];
    if (plainer === undefined) return plain;
    plain = plainer;
  }
}
