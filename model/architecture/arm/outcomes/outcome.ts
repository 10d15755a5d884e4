/**
 * What may happen to an access. Outcomes are interned: equal outcomes are one object with one small id, so that sets of
 * them can be kept in the store and compared as integers.
 */
export type Outcome = DirectOutcome | TranslatedOutcome;

/** What may happen to an access that the device has not translated itself. */
export type DirectOutcome = TranslationOutcome | BypassOutcome | FaultOutcome | AbortOutcome | UnpredictableOutcome;

/** The access goes to `pa`, if its permissions allow it; else F_PERMISSION in the way of `faultMode`. */
export interface TranslationOutcome {
  readonly kind: 'translation';
  readonly id: number;
  /** Physical address of the slot's 4 KiB page. */
  readonly pa: number;
  /** Bits of `PERMISSION`: what all stages allow. */
  readonly permissions: number;
  /**
   * Of stage 1: AttrIndx[2:0], and SH[1:0] in bits [4:3], of the leaf descriptor. Of stage 2: MemAttr[3:0] and SH[1:0]
   * in bits [13:8]. They are not combined.
   */
  readonly attributes: number;
  readonly faultMode: FaultMode;
  /** STE.PRIVCFG in bits [1:0] and INSTCFG in bits [3:2], where they have an effect. */
  readonly override: number;
  /** What stage 2 has to do with it; undefined if only stage 1 translates. */
  readonly stage2: StageTwoPart | undefined;
}

/** The part of stage 2 in a translation. */
export interface StageTwoPart {
  /** Bits of `PERMISSION` that stage 1 allows: what it refuses is a fault of stage 1, which comes first (§7.3.22). */
  readonly first: number;
  /** End of a Translation-related fault of stage 2: S2R and S2S. */
  readonly faultMode: FaultMode;
  /** Where the access enters stage 2, a multiple of 4 KiB. */
  readonly ipa: number;
}

/** The access goes to its input address. */
export interface BypassOutcome {
  readonly kind: 'bypass';
  readonly id: number;
  readonly pa: number;
}

/** The access is refused for the reason of an event (`EVENT`). */
export interface FaultOutcome {
  readonly kind: 'fault';
  readonly id: number;
  readonly event: number;
  readonly faultMode: FaultMode;
  /** Address of the fetch that was aborted (F_STE_FETCH, F_CD_FETCH, F_WALK_EABT), else 0. */
  readonly fetchAddress: number;
  /** Of a fault of stage 2. */
  readonly stage2: StageTwoFault | undefined;
  /** As in `TranslationOutcome`: event records show the attributes after the overrides (§7.3.13). */
  readonly override: number;
}

/** What the record of a fault of stage 2 says (§7.3.12 to §7.3.16). */
export interface StageTwoFault {
  /** What stage 2 was asked to translate: `EVENT_CLASS`. */
  readonly class: number;
  /** Its address: of a CD, of a stage 1 descriptor, or of the access (then a multiple of 4 KiB). */
  readonly ipa: number;
  /** Of class IN after stage 1: accesses that stage 1 refuses get its F_PERMISSION instead. */
  readonly after: { readonly permissions: number; readonly faultMode: FaultMode } | undefined;
}

/** The access is aborted and no event is recorded. */
export interface AbortOutcome {
  readonly kind: 'abort';
  readonly id: number;
}

/** The architecture (or this model, for what it leaves out) permits anything. */
export interface UnpredictableOutcome {
  readonly kind: 'unpredictable';
  readonly id: number;
}

/** The device makes the access with an address that it has been given by ATS, which may be long ago (IHI 0070 §3.9.1.3). */
export interface TranslatedOutcome {
  readonly kind: 'translated';
  readonly id: number;
  /** What the ATC holds for the slot: a physical address, or with split-stage ATS an IPA. */
  readonly address: number;
  /** Bits of `PERMISSION` that the device was granted: it makes no other accesses with this address. */
  readonly granted: number;
  /** What the SMMU does with it. */
  readonly end: DirectOutcome;
  /** Where the access goes; -1 if it is refused. */
  readonly pa: number;
  /** Those of `granted` that are not refused at stage 2. */
  readonly permissions: number;
}

/** How a Translation-related fault ends a transaction: CD.A, R and S (IHI 0070 §5.5). Other faults abort and record. */
export type FaultMode = 0 | 1 | 2 | 3 | 4;

/** Values of `FaultMode`. */
export const FAULT_MODE = { ABORT_SILENT: 0, ABORT_RECORD: 1, RAZWI_SILENT: 2, RAZWI_RECORD: 3, STALL: 4 } as const;

/** Bits of `TranslationOutcome.permissions`: read, write, execute for privileged and for unprivileged accesses. */
export const PERMISSION = { PR: 1, PW: 2, PX: 4, UR: 8, UW: 16, UX: 32 } as const;

/** The content of an outcome in words. */
export function outcomeKey(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'translation': {
      const { pa, permissions, attributes, faultMode, override, stage2 } = outcome;
      const key = `t${pa},${permissions},${attributes},${faultMode},${override}`;
      return stage2 === undefined ? key : `${key},${stage2.first},${stage2.faultMode},${stage2.ipa}`;
    }
    case 'bypass':
      return `b${outcome.pa}`;
    case 'fault':
      return `f${outcome.event},${outcome.faultMode},${outcome.fetchAddress}${restOfFault(outcome)}`;
    case 'abort':
      return 'a';
    case 'unpredictable':
      return 'u';
    case 'translated':
      return `T${outcome.address},${outcome.granted},${outcomeKey(outcome.end)}`;
  }
}

/** What only some faults have. */
function restOfFault({ stage2, override }: FaultOutcome): string {
  const rest = override === 0 ? '' : `/${override}`;
  if (stage2 === undefined) return rest;
  const { after } = stage2;
  const earlier = after === undefined ? '' : `,${after.permissions},${after.faultMode}`;
  return `${rest},s2,${stage2.class},${stage2.ipa}${earlier}`;
}

/** Interns outcomes. Ids are dense from 0 in the order of first use. */
export class OutcomeTable {
  readonly #outcomes: Outcome[] = [];
  readonly #byKey = new Map<string, Outcome>();

  /** The outcome with an id. */
  at(id: number): Outcome {
    return this.#outcomes[id] as Outcome;
  }

  translation(
    pa: number,
    permissions: number,
    attributes: number,
    faultMode: FaultMode,
    override: number,
    stage2?: StageTwoPart,
  ): TranslationOutcome {
    return this.#intern({ kind: 'translation', pa, permissions, attributes, faultMode, override, stage2 });
  }

  bypass(pa: number): BypassOutcome {
    return this.#intern({ kind: 'bypass', pa });
  }

  fault(
    event: number,
    faultMode: FaultMode = FAULT_MODE.ABORT_RECORD,
    fetchAddress = 0,
    override = 0,
    stage2?: StageTwoFault,
  ): FaultOutcome {
    return this.#intern({ kind: 'fault', event, faultMode, fetchAddress, stage2, override });
  }

  abort(): AbortOutcome {
    return this.#intern({ kind: 'abort' });
  }

  unpredictable(): UnpredictableOutcome {
    return this.#intern({ kind: 'unpredictable' });
  }

  translated(address: number, granted: number, end: DirectOutcome, permissions: number): TranslatedOutcome {
    const pa = end.kind === 'translation' || end.kind === 'bypass' ? end.pa : -1;
    return this.#intern({ kind: 'translated', address, granted, end, pa, permissions });
  }

  #intern<O extends Outcome>(content: Omit<O, 'id'>): O {
    const outcome = { id: this.#outcomes.length, ...content } as O;
    const key = outcomeKey(outcome);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known as O;
    this.#outcomes.push(outcome);
    this.#byKey.set(key, outcome);
    return outcome;
  }
}

/**
 * Interns sets of outcomes, by a trie over their ids in ascending order. Set 0 is the empty set. A set lists its outcomes
 * in an order that is the same in each world, whatever came up first.
 */
export class OutcomeSets {
  readonly #table: OutcomeTable;
  readonly #sets: (readonly Outcome[])[] = [[]];
  readonly #next = new Map<number, number>();

  constructor(table: OutcomeTable) {
    this.#table = table;
  }

  /** The set made of the first `count` of `ids`, which are ascending and distinct. */
  intern(ids: ArrayLike<number>, count: number): number {
    let set = 0;
    for (let at = 0; at < count; at++) {
      const id = ids[at] as number;
      const key = set * 0x10_0000 + id;
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#sets.length;
        this.#sets.push([...(this.#sets[set] as readonly Outcome[]), this.#table.at(id)].sort(inOrder));
        this.#next.set(key, next);
      }
      set = next;
    }
    return set;
  }

  /** The outcomes of a set. */
  at(set: number): readonly Outcome[] {
    return this.#sets[set] as readonly Outcome[];
  }

  /** The outcomes of a set in words. */
  content(set: number): string {
    return this.at(set).map(outcomeKey).join(' ');
  }
}

function inOrder(first: Outcome, second: Outcome): number {
  return outcomeKey(first) < outcomeKey(second) ? -1 : 1;
}
