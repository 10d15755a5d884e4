import { outcomeKey, type FaultMode, type Outcome } from '../outcomes/outcome.ts';
import type { GlobalTag, Tag } from '../translation/tag.ts';
import type { StageTwoUse } from '../translation/stage2/stage-two.ts';
import type { WalkNode } from '../translation/walk-node.ts';

/**
 * One configuration that hardware may use for a (StreamID, SubstreamID): the result of a configuration lookup
 * (IHI 0070 §3.3.3). It does not depend on the input address. Interned: equal configurations are one object.
 */
export type LookupConfig = RefusalConfig | BypassConfig | TranslateConfig | StageTwoConfig;

/** Where a configuration stands in the order of discovery, and its content in words. */
interface Interned {
  readonly index: number;
  readonly key: string;
}

/** Every access ends in the same way: a configuration error, an abort, or something that is not modelled. */
export interface RefusalConfig extends Interned {
  readonly kind: 'refusal';
  readonly outcome: Outcome;
}

/** Accesses go to their input address, if it is within the output size; else `beyond` (§3.4). */
export interface BypassConfig extends Interned {
  readonly kind: 'bypass';
  readonly beyond: Outcome;
}

/** Accesses go to stage 2 with their input address, if it is within the IPA size; else `beyond` (§3.4). */
export interface StageTwoConfig extends Interned {
  readonly kind: 'stage2';
  readonly stage2: StageTwoUse;
  readonly override: number;
  readonly beyond: Outcome;
}

/** Accesses are translated by stage 1, and by stage 2 after that if there is one. */
export interface TranslateConfig extends Interned {
  readonly kind: 'translate';
  readonly tag: Tag;
  readonly global: GlobalTag;
  readonly faultMode: FaultMode;
  readonly override: number;
  /** Starts of walks through TTB0 and TTB1; undefined where walks are disabled (EPDx). */
  readonly starts: readonly [WalkNode | undefined, WalkNode | undefined];
  readonly stage2: StageTwoUse | undefined;
}

/** Interns configurations and sets of them. Set 0 is the empty set. */
export class LookupConfigs {
  readonly #configs: LookupConfig[] = [];
  readonly #byKey = new Map<string, LookupConfig>();
  readonly #sets: (readonly LookupConfig[])[] = [[]];
  readonly #next = new Map<number, number>();

  refusal(outcome: Outcome): LookupConfig {
    return this.#intern(`r${outcomeKey(outcome)}`, (interned) => ({ kind: 'refusal', ...interned, outcome }));
  }

  bypass(beyond: Outcome): LookupConfig {
    return this.#intern(`b${outcomeKey(beyond)}`, (interned) => ({ kind: 'bypass', ...interned, beyond }));
  }

  stageTwo(stage2: StageTwoUse, override: number, beyond: Outcome): LookupConfig {
    const key = `s${useKey(stage2)}/${override}/${outcomeKey(beyond)}`;
    return this.#intern(key, (interned) => ({ kind: 'stage2', ...interned, stage2, override, beyond }));
  }

  translate(config: Omit<TranslateConfig, 'kind' | keyof Interned>): LookupConfig {
    const { tag, global, faultMode, override, starts, stage2 } = config;
    const [start0, start1] = starts;
    const key = `t${tag.vmid}.${tag.asid}/${global.aset}/${faultMode}/${override}/${start0?.key ?? ''}/${start1?.key ?? ''}${stage2 === undefined ? '' : `/${useKey(stage2)}`}`;
    return this.#intern(key, (interned) => ({ kind: 'translate', ...interned, ...config }));
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

  /** The configurations of a set in words, in an order of their own. */
  content(set: number): string {
    return this.at(set)
      .map(({ key }) => key)
      .sort()
      .join(' ');
  }

  #intern(key: string, make: (interned: Interned) => LookupConfig): LookupConfig {
    let config = this.#byKey.get(key);
    if (config === undefined) {
      config = make({ index: this.#configs.length, key });
      this.#configs.push(config);
      this.#byKey.set(key, config);
    }
    return config;
  }
}

function useKey({ space, start, faultMode }: StageTwoUse): string {
  return `${space.vmid}/${start.key}/${faultMode}`;
}
