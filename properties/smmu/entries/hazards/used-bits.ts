import {
  arm_smmu_get_ste_update_safe,
  ArmSmmuConfigWriter,
  type Entry,
  type EntryRef,
  type Master,
  type UsedBits,
} from '../../../../impl/kernel/index.ts';
import {
  CD,
  encode,
  EATS,
  read,
  STE,
  STE_CONFIG,
  type Field,
} from '../../../../model/architecture/arm/layout/index.ts';
import { MIXED, type EntriesHazard } from './hazard.ts';

const S = STE.fields;

/** Used bits without those of some fields, where `when` holds. */
function without(used: UsedBits, fields: readonly Field[], when: (entry: Entry) => boolean): UsedBits {
  return (entry) => {
    const bits = [...used(entry)];
    if (!when(entry)) return bits;
    for (const { word, lsb, width } of fields)
      for (let bit = lsb; bit < lsb + width; bit++) {
        const lane = 2 * word + (bit >= 32 ? 1 : 0);
        bits[lane] = (bits[lane] as number) & ~(1 << (bit % 32));
      }
    return bits;
  };
}

type Change = (entry: EntryRef) => EntryRef;

/** A writer that has another idea of the used bits of stream table entries, or of context descriptors. */
function writer(change: { readonly ste?: Change; readonly cd?: Change }): EntriesHazard['parts']['configWriter'] {
  return class extends ArmSmmuConfigWriter {
    override ste(master: Master): EntryRef {
      const entry = super.ste(master);
      return change.ste?.(entry) ?? entry;
    }

    override cd(master: Master, ssid: number): EntryRef {
      const entry = super.cd(master, ssid);
      return change.cd?.(entry) ?? entry;
    }
  };
}

const CITATION = 'arm_smmu_get_ste_used(), Linux 6.9 and 6.13';

/** A hazard that forgets fields of stream table entries. */
function forgets(
  id: string,
  what: string,
  story: string,
  fields: readonly Field[],
  when: (entry: Entry) => boolean = () => true,
): EntriesHazard {
  return {
    id,
    title: `the used bits of ${what}`,
    citation: CITATION,
    story,
    expected: MIXED,
    parts: { configWriter: writer({ ste: (entry) => ({ ...entry, used: without(entry.used, fields, when) }) }) },
  };
}

const config = (entry: Entry): number => read(S.Config, entry);
const stage1 = (entry: Entry): boolean => (config(entry) & 1) === 1;
const stage2 = (entry: Entry): boolean => (config(entry) & 2) === 2;

/** Mistakes about what the SMMU looks at. */
export const USED_BITS_HAZARDS: readonly EntriesHazard[] = [
  forgets(
    'ste-used-s1dss',
    'a stage 1 entry omit S1DSS',
    'S1DSS changes in the first phase, under the old entry: accesses without a substream go elsewhere for a while.',
    [S.S1DSS],
    stage1,
  ),
  forgets(
    'ste-used-s1stalld',
    'a stage 1 entry omit S1STALLD',
    'S1STALLD changes beside word 0, under the old entry.',
    [S.S1STALLD],
    stage1,
  ),
  forgets(
    'ste-used-shcfg',
    'a bypass entry omit SHCFG',
    'SHCFG of the entry that is left is cleared first, while accesses still bypass with it.',
    [S.SHCFG],
    (entry) => config(entry) === STE_CONFIG.BYPASS,
  ),
  forgets(
    'ste-used-shcfg-s1dss',
    'a stage 1 entry omit SHCFG although S1DSS lets accesses bypass',
    'Accesses without a substream bypass stage 1 and take their shareability from SHCFG, which is cleared under them.',
    [S.SHCFG],
    stage1,
  ),
  forgets(
    'ste-used-s1-vmid',
    'a stage 1 entry omit S2VMID',
    'Translations of stage 1 are tagged with a VMID too. It changes in the first phase, and what is walked then is cached under the tag of a virtual machine.',
    [S.S2VMID],
    (entry) => config(entry) === STE_CONFIG.STAGE1,
  ),
  forgets(
    'ste-used-s2-table',
    'a stage 2 entry omit S2TTB',
    'The table changes before the VMID: a virtual machine’s device walks the table of another one.',
    [S.S2TTB],
    stage2,
  ),
  forgets(
    'ste-used-s2-control',
    'a stage 2 entry omit the fields of VTCR and S2AA64',
    'Size, start level and format of the tables are cleared while stage 2 is in use.',
    [S.S2T0SZ, S.S2SL0, S.S2IR0, S.S2OR0, S.S2SH0, S.S2TG, S.S2PS, S.S2AA64, S.S2PTW, S.S2R],
    stage2,
  ),
  forgets(
    'ste-used-s2s',
    'a stage 2 entry omit S2S',
    'Whether stage 2 stalls changes early; together with full ATS it makes the entry ILLEGAL.',
    [S.S2S],
    stage2,
  ),
  forgets(
    'ste-used-s2fwb',
    'a stage 2 entry omit S2FWB',
    'Memory attributes are read in the other format while the old tables are in use.',
    [S.S2FWB],
    stage2,
  ),
  forgets(
    'ste-used-split-ats',
    'a nested entry omit EATS',
    'Split-stage ATS is on while there is no stage 1, or full ATS while addresses in the device’s cache are intermediate ones.',
    [S.EATS],
    () => true,
  ),
  {
    id: 'ste-safe-split-ats',
    title: 'EATS counts as safe in any order although split-stage ATS is involved',
    citation: 'arm_smmu_get_ste_update_safe(), Linux 6.19, excepts STRTAB_STE_1_EATS_S1CHK; IHI 0070 §13.6.3',
    story:
      'Only between no and full ATS does EATS not matter while the device has ATS disabled. Split-stage ATS also needs stage 1: beside another Config it is ILLEGAL, or translates for addresses that are none of the device.',
    expected: MIXED,
    parts: {
      configWriter: writer({
        ste: (entry) => ({
          ...entry,
          safe: (current, target) => {
            const eats = encode(STE, { EATS: EATS.FULL_DPT });
            return arm_smmu_get_ste_update_safe(current, target).map((lane, at) => lane | (eats[at] as number));
          },
        }),
      }),
    },
  },
  {
    id: 'cd-used-quiet-target',
    title: 'TTB0 counts as unused as soon as the target has EPD0 set',
    citation: 'arm_smmu_get_cd_used(), arm_smmu_make_sva_cd(), Linux 6.9',
    story:
      'A process goes, and its descriptor is made quiet. The table is taken out before EPD0 is set: the device walks a table at address 0.',
    expected: MIXED,
    parts: {
      configWriter: writer({
        cd: (entry) => ({
          ...entry,
          used: without(entry.used, [CD.fields.TTB0, CD.fields.T0SZ], (content) => read(CD.fields.V, content) === 1),
        }),
      }),
    },
  },
];
