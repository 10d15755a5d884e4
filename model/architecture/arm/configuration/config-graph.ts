import type { HoldTable } from '../holds.ts';
import { CD_WORDS } from './context-descriptor.ts';
import type { ConfigTarget } from '../commands/invalidation.ts';
import { CD, CD_TABLE_L1 } from '../layout/cd.ts';
import { STE, STREAM_TABLE_L1 } from '../layout/ste.ts';
import type { Layout } from '../layout/layout.ts';
import type { LookupConfig } from './lookup-config.ts';
import { STE_WORDS, type StageOneEntry, type StreamEntry } from './stream-entry.ts';
import type { Store } from '../../../../engine/store.ts';

/** A place in memory where a configuration structure was found, for the streams and substreams that it serves. */
export interface ConfigPlace extends ConfigTarget {
  readonly address: number;
  /** Cell of the store: 0 if no valid pointer leads here now, else the state (`HoldTable`) of the best pointer. */
  readonly reachable: number;
  /** Its words, as far as the model looks at them. */
  readonly words: readonly ConfigWord[];
  /** Mixes of versions met so far, by the positions of their versions (`mixKey`). */
  readonly mixes: Map<number, MixContent>;
  /** Scratch of `ConfigCache.reach`. */
  nextState: number;
}

/** One combination of versions of the words of a place, with what it has been decoded to. */
export interface MixContent {
  /** Low and high lane of each word. */
  readonly lanes: readonly number[];
  /** For an STE. */
  entry: StreamEntry | undefined;
  /** For a CD: what it means through each version of an STE. */
  readonly configs: Map<StageOneEntry, LookupConfig>;
}

/** The places that belong to one stream. */
export interface StreamPlaces {
  readonly entries: ConfigPlace[];
  readonly l1Descriptors: ConfigPlace[];
  readonly descriptors: ConfigPlace[];
}

/** One 64-bit word of a structure. Each is read by itself, so versions of different ages may be combined (§3.21.3). */
export interface ConfigWord {
  readonly place: ConfigPlace;
  readonly pa: number;
  /** Bits that matter; others do not make another version. */
  readonly maskLow: number;
  readonly maskHigh: number;
  /** Every value ever read, whether held now or not. */
  readonly versions: ConfigVersion[];
}

/** A value that a word has had while it could be fetched. */
export interface ConfigVersion {
  /** Cell of the store: a state of `HoldTable`. */
  readonly cell: number;
  readonly low: number;
  readonly high: number;
}

/** Most places at which configuration structures of one world may be found. */
const PLACES_MAX = 1024;

/**
 * All configuration structures ever found, with all versions of their words ever read. It only grows; what is held is
 * in the `HoldTable`.
 */
export class ConfigGraph {
  readonly places: ConfigPlace[] = [];
  /** L1STDs, which streams share. */
  readonly l1Tables: ConfigPlace[] = [];
  readonly #streams = new Map<number, StreamPlaces>();
  readonly #holds: HoldTable;
  readonly #reachable: number;
  readonly #watch: (pa: number, word: ConfigWord) => void;
  readonly #byAddress = new Map<number, ConfigPlace[]>();

  /** @param watch told of each word address, once for each place. */
  constructor(store: Store, holds: HoldTable, watch: (pa: number, word: ConfigWord) => void) {
    this.#holds = holds;
    this.#watch = watch;
    this.#reachable = store.reserve(PLACES_MAX, 'configuration reachable by the SMMU');
  }

  /** The structure at an address, as found for some streams and substreams. */
  place(target: ConfigTarget, address: number): ConfigPlace {
    const { kind, streamId, streams, substream, substreams } = target;
    let atAddress = this.#byAddress.get(address);
    if (atAddress === undefined) {
      atAddress = [];
      this.#byAddress.set(address, atAddress);
    }
    for (const known of atAddress)
      if (
        known.kind === kind &&
        known.streamId === streamId &&
        known.streams === streams &&
        known.substream === substream &&
        known.substreams === substreams
      )
        return known;
    if (this.places.length === PLACES_MAX) throw new RangeError(`more than ${PLACES_MAX} configuration structures`);
    const words: ConfigWord[] = [];
    const reachable = this.#reachable + this.places.length;
    const mixes = new Map<number, MixContent>();
    const place: ConfigPlace = {
      kind,
      streamId,
      streams,
      substream,
      substreams,
      address,
      reachable,
      words,
      mixes,
      nextState: 0,
    };
    this.#holds.name(reachable, `reachable ${contentOf(place)}`);
    for (const [at, [maskLow, maskHigh]] of MASKS[kind].entries()) {
      const word: ConfigWord = { place, pa: address + 8 * at, maskLow, maskHigh, versions: [] };
      words.push(word);
      this.#watch(word.pa, word);
    }
    atAddress.push(place);
    this.places.push(place);
    const { entries, l1Descriptors, descriptors } = this.stream(streamId);
    const list = { L1STD: this.l1Tables, STE: entries, L1CD: l1Descriptors, CD: descriptors }[kind];
    list.push(place);
    return place;
  }

  /** The places of a stream. */
  stream(streamId: number): StreamPlaces {
    let places = this.#streams.get(streamId);
    if (places === undefined) {
      places = { entries: [], l1Descriptors: [], descriptors: [] };
      this.#streams.set(streamId, places);
    }
    return places;
  }

  /** The version of a word with a value, interned. */
  version(word: ConfigWord, low: number, high: number): ConfigVersion {
    const maskedLow = low & word.maskLow;
    const maskedHigh = high & word.maskHigh;
    for (const version of word.versions) if (version.low === maskedLow && version.high === maskedHigh) return version;
    const version: ConfigVersion = {
      cell: this.#holds.intern(`version ${contentOf(word.place)} ${word.pa} ${maskedLow} ${maskedHigh}`),
      low: maskedLow,
      high: maskedHigh,
    };
    word.versions.push(version);
    return version;
  }
}

/** All that tells a place from others. */
function contentOf({ kind, streamId, streams, substream, substreams, address }: ConfigPlace): string {
  return `${kind} ${streamId}+${streams} ${substream}+${substreams} ${address}`;
}

type Masks = readonly (readonly [number, number])[];

/** The fields that the model decodes; a change of any other bit is not seen. */
const MASKS: Readonly<Record<ConfigTarget['kind'], Masks>> = {
  L1STD: masksOf(STREAM_TABLE_L1, 1, ['Span', 'L2Ptr']),
  STE: masksOf(STE, STE_WORDS, [
    'V',
    'Config',
    'S1Fmt',
    'S1ContextPtr',
    'S1CDMax',
    'S1DSS',
    'S1STALLD',
    'PRIVCFG',
    'INSTCFG',
    'S2VMID',
    ...(['S2FWB', 'EATS', 'STRW', 'S2T0SZ', 'S2SL0', 'S2TG', 'S2PS', 'S2AA64', 'S2ENDI', 'S2AFFD', 'S2PTW'] as const),
    ...(['S2HD', 'S2HA', 'S2S', 'S2R', 'S2TTB'] as const),
  ]),
  L1CD: masksOf(CD_TABLE_L1, 1, ['V', 'L2Ptr']),
  CD: masksOf(CD, CD_WORDS, [
    ...(['T0SZ', 'TG0', 'EPD0', 'ENDI', 'T1SZ', 'TG1', 'EPD1', 'V', 'IPS', 'AFFD', 'WXN'] as const),
    ...(['TBI0', 'TBI1', 'PAN', 'AA64', 'HD', 'HA', 'S', 'R', 'A', 'ASET', 'ASID'] as const),
    ...(['HAD0', 'TTB0', 'HAD1', 'TTB1'] as const),
  ]),
};

function masksOf<Name extends string>(of: Layout<Name>, words: number, names: readonly NoInfer<Name>[]): Masks {
  const masks = Array.from({ length: words }, () => [0, 0] as [number, number]);
  for (const name of names) {
    const { word, lsb, width } = of.fields[name];
    const mask = masks[word];
    if (mask === undefined) continue;
    for (let bit = lsb; bit < lsb + width; bit++) mask[bit < 32 ? 0 : 1] |= 1 << (bit % 32);
  }
  return masks;
}
