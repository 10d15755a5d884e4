import {
  CD,
  EATS,
  patch,
  read,
  S1DSS,
  STE,
  STE_CONFIG,
  type FieldName,
} from '../../../model/architecture/arm/layout/index.ts';

/** What the SMMU does with an entry that is invalid or ILLEGAL: C_BAD_STE, C_BAD_CD. */
export const REFUSED = 'refused';

type SteField = FieldName<typeof STE>;

/** Overrides of attributes, which apply to transactions that no stage 1 gives attributes (IHI 0070 §13.5). */
const ATTRIBUTES: readonly SteField[] = ['MTCFG', 'MemAttr', 'ALLOCCFG', 'SHCFG'];
const PRIVILEGES: readonly SteField[] = ['PRIVCFG', 'INSTCFG'];
const STAGE1: readonly SteField[] = ['S1ContextPtr', 'S1CDMax', 'S1CIR', 'S1COR', 'S1STALLD'];
const STAGE2: readonly SteField[] = [
  'S2FWB',
  'S2VMID',
  'S2T0SZ',
  'S2SL0',
  'S2IR0',
  'S2OR0',
  'S2SH0',
  'S2TG',
  'S2PS',
  'S2AA64',
  'S2ENDI',
  'S2AFFD',
  'S2PTW',
  'S2HD',
  'S2HA',
  'S2S',
  'S2R',
  'S2TTB',
];

/**
 * What a stream table entry makes the SMMU do, as text: the fields that it does not IGNORE, with their values (IHI 0070
 * §5.2). Two entries with the same text are one to the hardware. Written from the architecture and not from the driver's
 * used bits, which are coarser. The Non-secure world of an SMMU with both stages, ATS and stalls, and without EL2.
 */
export function streamMeaning(lanes: readonly number[]): string {
  const f = (name: SteField): number => read(STE.fields[name], lanes);
  if (f('V') === 0) return REFUSED;
  const config = f('Config');
  if (config < STE_CONFIG.BYPASS) return 'abort';
  const stage1 = (config & 1) === 1;
  const stage2 = (config & 2) === 2;
  if (isIllegal(lanes, stage1, stage2)) return REFUSED;
  const used: SteField[] = [...PRIVILEGES];
  if (stage1) used.push(...STAGE1);
  // Non-cacheable accesses to context descriptors are Outer Shareable whatever S1CSH says.
  if (stage1 && f('S1CIR') + f('S1COR') > 0) used.push('S1CSH');
  const substreams = stage1 && f('S1CDMax') > 0;
  if (substreams) used.push('S1Fmt', 'S1DSS');
  if (stage2) used.push(...STAGE2);
  else if (stage1) used.push('S2VMID', 'STRW');
  const bypasses = substreams && f('S1DSS') === S1DSS.BYPASS;
  if (!stage1 || bypasses) used.push(...ATTRIBUTES);
  if (stage1 || stage2) used.push('EATS', 'MEV');
  return `${config} ${used.map((name) => `${name}=${f(name)}`).join(' ')}`;
}

/** The part of SteIllegal() (§5.2.2) that depends on how fields go together. */
function isIllegal(lanes: readonly number[], stage1: boolean, stage2: boolean): boolean {
  const f = (name: SteField): number => read(STE.fields[name], lanes);
  const eats = f('EATS');
  if ((stage1 || stage2) && eats === EATS.SPLIT_STAGE && (!(stage1 && stage2) || f('S2S') === 1)) return true;
  if (stage2 && eats === EATS.FULL && f('S2S') === 1) return true;
  if (stage1 && !stage2 && (f('STRW') & 1) === 1) return true;
  if (!stage2) return false;
  // Only VMSAv8-64 little-endian tables, without hardware update of flags.
  if (f('S2AA64') === 0 || f('S2ENDI') === 1 || f('S2HA') === 1 || f('S2HD') === 1) return true;
  return f('S2T0SZ') < 16 || f('S2T0SZ') > 39 || f('S2TG') === 3;
}

type CdField = FieldName<typeof CD>;

const TABLE0: ReadonlySet<string> = new Set<CdField>(['T0SZ', 'TG0', 'IR0', 'OR0', 'SH0', 'TTB0', 'HAD0', 'E0PD0']);
const TABLE1: ReadonlySet<string> = new Set<CdField>(['T1SZ', 'TG1', 'IR1', 'OR1', 'SH1', 'TTB1', 'HAD1', 'E0PD1']);

/** The same for a context descriptor (§5.4): with EPDx set, what describes that half's walks is IGNORED. */
export function descriptorMeaning(lanes: readonly number[]): string {
  if (read(CD.fields.V, lanes) === 0) return REFUSED;
  const off0 = read(CD.fields.EPD0, lanes) === 1;
  const off1 = read(CD.fields.EPD1, lanes) === 1;
  return (Object.keys(CD.fields) as CdField[])
    .filter((name) => !(off0 && TABLE0.has(name)) && !(off1 && TABLE1.has(name)))
    .map((name) => `${name}=${read(CD.fields[name], lanes)}`)
    .join(' ');
}

/** What a mix of words may be taken for. */
export interface Permitted {
  readonly old: readonly number[];
  readonly target: readonly number[];
}

/**
 * Whether hardware that uses a mix does what it does under one of two stream table entries. Differences in MEV do not
 * count, nor those between no and full ATS: the device has ATS disabled while its entry changes
 * (`arm_smmu_get_ste_update_safe`).
 */
export function actsAsStream(mix: readonly number[], { old, target }: Permitted): boolean {
  const meaning = streamMeaning(mix);
  return [old, target].some((as) => {
    const like = streamMeaning(as);
    if (meaning === like) return true;
    if (meaning === REFUSED || like === REFUSED) return false;
    const f = STE.fields;
    const eats = [mix, old, target].every((lanes) => read(f.EATS, lanes) <= EATS.FULL);
    const values = { MEV: read(f.MEV, as), ...(eats ? { EATS: read(f.EATS, as) } : {}) };
    return streamMeaning(patch(STE, mix, values)) === like;
  });
}

/** The same for context descriptors. */
export function actsAsDescriptor(mix: readonly number[], { old, target }: Permitted): boolean {
  const meaning = descriptorMeaning(mix);
  return meaning === descriptorMeaning(old) || meaning === descriptorMeaning(target);
}
