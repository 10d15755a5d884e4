import type { FaultMode, Outcome } from './outcome.ts';
import type { GlobalTag, Tag } from './tag.ts';
import type { WalkNode } from './walk-node.ts';

/**
 * One configuration that hardware may use for a (StreamID, SubstreamID): the result of a configuration lookup
 * (IHI 0070 §3.3.3). It does not depend on the input address. Interned: equal configurations are one object.
 */
export type LookupConfig = RefusalConfig | BypassConfig | TranslateConfig;

/** Every access ends in the same way: a configuration error, an abort, or something that is not modelled. */
export interface RefusalConfig {
  readonly kind: 'refusal';
  readonly index: number;
  readonly outcome: Outcome;
}

/** Accesses go to their input address, if it is within the output size; else `beyond` (§3.4). */
export interface BypassConfig {
  readonly kind: 'bypass';
  readonly index: number;
  readonly beyond: Outcome;
}

/** Accesses are translated by stage 1. */
export interface TranslateConfig {
  readonly kind: 'translate';
  readonly index: number;
  readonly tag: Tag;
  readonly global: GlobalTag;
  readonly faultMode: FaultMode;
  readonly override: number;
  /** Starts of walks through TTB0 and TTB1; undefined where walks are disabled (EPDx). */
  readonly starts: readonly [WalkNode | undefined, WalkNode | undefined];
}

/** Interns configurations and sets of them. Set 0 is the empty set. */
export class LookupConfigs {
  readonly #configs: LookupConfig[] = [];
  readonly #byKey = new Map<string, LookupConfig>();
  readonly #sets: (readonly LookupConfig[])[] = [[]];
  readonly #next = new Map<number, number>();

  refusal(outcome: Outcome): LookupConfig {
    return this.#intern(`r${outcome.id}`, (index) => ({ kind: 'refusal', index, outcome }));
  }

  bypass(beyond: Outcome): LookupConfig {
    return this.#intern(`b${beyond.id}`, (index) => ({ kind: 'bypass', index, beyond }));
  }

  translate(config: Omit<TranslateConfig, 'kind' | 'index'>): LookupConfig {
    const { tag, global, faultMode, override, starts } = config;
    const [start0, start1] = starts;
    const key = `t${tag.index}/${global.aset}/${faultMode}/${override}/${start0?.cell ?? 0}/${start1?.cell ?? 0}`;
    return this.#intern(key, (index) => ({ kind: 'translate', index, ...config }));
  }

  /** The id of a set of configurations, given in any order and perhaps repeatedly. */
  set(configs: readonly LookupConfig[]): number {
    const sorted = configs.length > 1 ? [...new Set(configs)].sort((a, b) => a.index - b.index) : configs;
    let set = 0;
    for (const config of sorted) {
      const key = set * 0x10_0000 + config.index;
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#sets.push([...this.at(set), config]) - 1;
        this.#next.set(key, next);
      }
      set = next;
    }
    return set;
  }

  /** The configurations of a set. */
  at(set: number): readonly LookupConfig[] {
    return this.#sets[set] as readonly LookupConfig[];
  }

  #intern(key: string, make: (index: number) => LookupConfig): LookupConfig {
    let config = this.#byKey.get(key);
    if (config === undefined) {
      config = make(this.#configs.length);
      this.#configs.push(config);
      this.#byKey.set(key, config);
    }
    return config;
  }
}
