import type { MixContent } from '../configuration/config-graph.ts';
import type { LookupConfig, LookupConfigs, StageTwoConfig } from '../configuration/lookup-config.ts';
import type { StageOneEntry, StageTwoOnlyEntry } from '../configuration/stream-entry.ts';
import { EVENT } from '../layout/event.ts';
import { EATS } from '../layout/ste.ts';
import type { OutcomeTable } from '../outcomes/outcome.ts';
import type { StageTwo } from '../translation/stage2/stage-two.ts';

/** What becomes of a translation request (IHI 0070 §3.9.1.2). */
export type RequestTreatment =
  /** Completed with Unsupported Request; F_BAD_ATS_TREQ is recorded. */
  | 'unsupportedRecorded'
  /** Completed with Unsupported Request. */
  | 'unsupported'
  /** Completed with Completer Abort. */
  | 'aborted'
  /** Answered with the output of all stages of translation. */
  | 'translated'
  /** Answered with the output of stage 1 (split-stage ATS). */
  | 'stage1';

/** What becomes of a translated access (§3.9.1.3). */
export type TranslatedTreatment =
  /** Goes to its address. */
  | 'passed'
  | 'aborted'
  /** Aborted, with F_TRANSL_FORBIDDEN. */
  | 'forbidden'
  /** Its address is an IPA (split-stage ATS). */
  | 'stage2';

/** One configuration of a stream as it concerns ATS. Interned: equal ones are one object. */
export interface AtsConfig {
  readonly index: number;
  readonly key: string;
  readonly request: RequestTreatment;
  readonly translated: TranslatedTreatment;
  /** What a request is translated by. */
  readonly config: LookupConfig | undefined;
  /** What translates an access whose address is an IPA. */
  readonly second: StageTwoConfig | undefined;
}

/** What configurations are made of. */
export interface AtsConfigParts {
  readonly configs: LookupConfigs;
  readonly outcomes: OutcomeTable;
  readonly stageTwo: StageTwo;
}

/** Interns configurations as they concern ATS, and sets of them. Set 0 is the empty set. */
export class AtsConfigs {
  readonly #parts: AtsConfigParts;
  readonly #configs: AtsConfig[] = [];
  readonly #byKey = new Map<string, AtsConfig>();
  readonly #sets: (readonly AtsConfig[])[] = [[]];
  readonly #byMembers = new Map<string, number>();

  constructor(parts: AtsConfigParts) {
    this.#parts = parts;
  }

  /** Without translation the ATS interface does not work, whatever ATSCHK says (§3.9.1.2, §3.9.1.3, §6.3.9.6). */
  disabled(): AtsConfig {
    return this.#intern('unsupportedRecorded', 'forbidden', undefined);
  }

  /**
   * @param atsCheck CR0.ATSCHK.
   * @param content the STE that the configuration was found through, decoded; undefined if none could be fetched.
   */
  through(atsCheck: boolean, config: LookupConfig, content: MixContent | undefined): AtsConfig {
    // With ATSCHK = 0 translated accesses are not looked up, so that nothing can be wrong with them (§3.9.1.3).
    const checked = (treatment: TranslatedTreatment): TranslatedTreatment => (atsCheck ? treatment : 'passed');
    // What concerns ATS does not depend on the regime of EL2.
    const entry = content?.entry?.kind === 'el2' ? content.entry.plain : content?.entry;
    if (content === undefined || entry === undefined || entry.kind === 'illegal')
      return this.#intern('aborted', checked('aborted'), undefined);
    if (entry.kind === 'abort') return this.#intern('unsupported', checked('aborted'), undefined);
    // Split-stage ATS is off without ATSCHK (§5.2).
    const eats = entry.kind === 'bypass' || (entry.eats === EATS.SPLIT_STAGE && !atsCheck) ? EATS.NONE : entry.eats;
    if (eats === EATS.NONE) return this.#intern('unsupportedRecorded', checked('forbidden'), undefined);
    if (entry.kind !== 'bypass' && eats === EATS.SPLIT_STAGE)
      return this.#intern('stage1', 'stage2', config, this.#second(entry));
    return this.#intern('translated', 'passed', config);
  }

  /** The id of a set of configurations, given in any order and perhaps repeatedly. */
  set(configs: readonly AtsConfig[]): number {
    const sorted = [...new Set(configs)].sort((a, b) => a.index - b.index);
    if (sorted.length === 0) return 0;
    const members = sorted.map(({ index }) => index).join();
    let set = this.#byMembers.get(members);
    if (set === undefined) {
      set = this.#sets.push(sorted) - 1;
      this.#byMembers.set(members, set);
    }
    return set;
  }

  /** The configurations of a set. */
  at(set: number): readonly AtsConfig[] {
    return this.#sets[set] as readonly AtsConfig[];
  }

  /** The configurations of a set in words, in an order of their own. */
  content(set: number): string {
    return this.at(set)
      .map(({ key }) => key)
      .sort()
      .join(' ');
  }

  /** Stage 2 of an STE, of which the CD plays no part (§3.9.1.3). An IPA beyond the input size is an error of stage 1. */
  #second({ stage2, override }: StageOneEntry | StageTwoOnlyEntry): StageTwoConfig | undefined {
    const { configs, outcomes, stageTwo } = this.#parts;
    if (stage2 === undefined) return undefined;
    const second = configs.stageTwo(stageTwo.use(stage2), override, outcomes.fault(EVENT.F_ADDR_SIZE));
    return second.kind === 'stage2' ? second : undefined;
  }

  #intern(
    request: RequestTreatment,
    translated: TranslatedTreatment,
    config: LookupConfig | undefined,
    second?: StageTwoConfig,
  ): AtsConfig {
    const key = `${request}/${translated}/${config?.key ?? ''}/${second?.key ?? ''}`;
    let known = this.#byKey.get(key);
    if (known === undefined) {
      known = { index: this.#configs.length, key, request, translated, config, second };
      this.#configs.push(known);
      this.#byKey.set(key, known);
    }
    return known;
  }
}
