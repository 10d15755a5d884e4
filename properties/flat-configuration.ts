import type { Configuration } from './family.ts';

/** What the fields of a family's configuration may be. */
export interface Fields<C extends Configuration> {
  readonly family: string;
  /** The plainest one: it has every field. */
  readonly plain: C;
  /** Least and greatest value of numbers. */
  readonly limits: Readonly<Partial<Record<keyof C & string, readonly [number, number]>>>;
  /** What else can be wrong, of a configuration whose fields are right by themselves. */
  readonly problem?: (configuration: C) => string | undefined;
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function readConfiguration<C extends Configuration>(fields: Fields<C>, configuration: Configuration): C {
  const wrong = problemOf(fields, configuration);
  if (wrong !== undefined) throw new RangeError(`configuration of family ${fields.family}: ${wrong}`);
  return configuration as C;
}

/** Configurations with one more field as in the plainest; the plainest first. */
export function plainerBy<C extends Configuration>(fields: Fields<C>, configuration: Configuration): readonly C[] {
  const known = readConfiguration(fields, configuration);
  return Object.entries(fields.plain)
    .filter(([field, value]) => known[field] !== value)
    .map(([field, value]) => ({ ...known, [field]: value }))
    .filter((candidate) => problemOf(fields, candidate) === undefined);
}

/** Whether a value is an integer of a range. */
export function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

function problemOf<C extends Configuration>(fields: Fields<C>, configuration: Configuration): string | undefined {
  const { plain, limits } = fields;
  for (const [field, value] of Object.entries(plain))
    if (typeof configuration[field] !== typeof value) return `"${field}" must be a ${typeof value}`;
  for (const field of Object.keys(configuration)) if (!(field in plain)) return `there is no "${field}"`;
  for (const [field, range] of Object.entries<readonly [number, number] | undefined>(limits))
    if (range !== undefined && !isWithin(configuration[field], ...range)) return `"${field}" is ${range.join(' to ')}`;
  return fields.problem?.(configuration as C);
}
