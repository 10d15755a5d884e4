/** The contents by which places in memory are told apart. */
import type { ConformanceConfiguration } from './configuration.ts';
import { watchedAddresses } from './world.ts';

/** What a write by rocker leaves: 0x96 in each byte; edu writes the value below. Neither is a pattern. */
export const filledWord = 0x9696_9696 | 0;
/** What edu's buffer holds for its writes. */
export const eduWord = 0x0ed0_0ed0;

const tag = 0x5a00_0000;

/** Content of the watched place with an index. */
export const patternOf = (index: number): number => tag | (index + 1);

/** The watched places of a configuration, and what each holds. */
export class Patterns {
  readonly addresses: readonly number[];
  readonly #patterns: ReadonlyMap<number, number>;

  constructor(configuration: ConformanceConfiguration) {
    this.addresses = watchedAddresses(configuration);
    this.#patterns = new Map(this.addresses.map((pa, index) => [pa, patternOf(index)]));
  }

  /** What the place `pa` holds while nobody has written to it; undefined if it is not watched. */
  at(pa: number): number | undefined {
    return this.#patterns.get(pa);
  }

  /** The place that a value comes from; undefined if it is no pattern of this configuration. */
  source(value: number): number | undefined {
    return (value & 0xff00_0000) === tag ? this.addresses[(value & 0x00ff_ffff) - 1] : undefined;
  }
}
