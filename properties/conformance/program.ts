/** A conformance program: a configuration and the operations on it. */
import type { ConformanceConfiguration } from './configuration.ts';
import type { Operation } from './operation.ts';

/** Plain data; the same program run on the same device gives the same observations. */
export interface ConformanceProgram {
  readonly configuration: ConformanceConfiguration;
  readonly operations: readonly Operation[];
}
