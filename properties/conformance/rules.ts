/**
 * The rules that a device can break, each with the section it comes from (IHI 0070 unless the Arm ARM is named) and a
 * statement in our own words. A difference is no deviation until its rule is named.
 */

/** A rule of the architecture. */
export interface Rule {
  readonly id: string;
  readonly section: string;
  /** What must hold, one sentence. */
  readonly statement: string;
}

const rule = <const Id extends string>(id: Id, section: string, statement: string) => ({ id, section, statement });

/** All rules, by subject. */
export const rules = [
  // TLB invalidation.
  rule(
    'tlbi-tagged-address',
    '§3.4.1, §4.4.2.4',
    'The top byte of an address is not part of what a translation is cached for when TBI is on: an invalidation by the address without its tag removes the entry, whatever tag the access had that made it.',
  ),
  rule(
    'tlbi-global-any-asid',
    '§4.4.2.4, §3.17.1',
    'CMD_TLBI_NH_VA removes global entries of the VMID and address whatever ASID they were made under.',
  ),
  rule(
    'tlbi-by-address',
    '§4.4.2.3, §4.4.2.4',
    'A completed invalidation by address removes every matching translation of that address.',
  ),
  rule(
    'tlbi-splintered-block',
    '§3.21.1, §4.4.2.3, §4.4.2.4; Arm ARM D8.17',
    'An invalidation by an address in a stage 1 block removes all that was cached of the block, also the pieces that it was split into because stage 2 has smaller pages.',
  ),
  rule('tlbi-by-range', '§4.4.1.1', 'A range invalidation covers (NUM+1)·2^SCALE granules from its address on.'),
  rule(
    'tlbi-level-hint',
    '§4.4.1.1',
    'An invalidation with a TTL hint removes every entry of that level for its addresses.',
  ),
  rule(
    'tlbi-by-ipa',
    '§4.4.3.1',
    'A completed CMD_TLBI_S2_IPA removes every stage 2 entry of the VMID for that IPA (what is combined with stage 1 may stay).',
  ),
  rule(
    'tlbi-by-ipa-range',
    '§4.4.3.1, §4.4.1.1',
    'A range invalidation by IPA covers (NUM+1)·2^SCALE granules from its IPA on.',
  ),
  rule(
    'tlbi-by-ipa-level-hint',
    '§4.4.3.1, §4.4.1.1',
    'An invalidation by IPA with a TTL hint removes every stage 2 entry of that level for its IPAs.',
  ),
  rule('tlbi-by-asid', '§4.4.2.2', 'CMD_TLBI_NH_ASID removes every entry of the VMID and ASID that is not global.'),
  rule(
    'tlbi-all',
    '§4.4.2.1, §4.4.4',
    'The invalidations without an address or ASID remove every entry of their VMID, or of all, global ones included.',
  ),
  rule(
    'tlbi-needed',
    'Arm ARM D8.16 (R_XCLRD)',
    'A descriptor that gives a Translation, Address size or Access flag fault is not cached: making it valid takes effect without invalidation.',
  ),
  // Configuration.
  rule(
    'cfgi-ste',
    '§4.3.1, §4.3.8, §5.2.1',
    'A completed CMD_CFGI_STE (or wider) makes the STE in memory, and the CDs located through it, take effect.',
  ),
  rule(
    'cfgi-cd',
    '§4.3.3, §4.3.4, §5.4.1',
    'A completed CMD_CFGI_CD makes the CD in memory take effect for that stream.',
  ),
  rule(
    'ste-validity',
    '§5.2.2, §3.4.3',
    'An ILLEGAL STE gives C_BAD_STE (S1ContextPtr beyond the output address size included, from SMMUv3.1 on).',
  ),
  rule('cd-validity', '§5.4.2', 'An ILLEGAL CD gives C_BAD_CD.'),
  rule('cd-reserved-values', '§5.4', 'Reserved values of CD.IPS behave as the largest address size.'),
  rule(
    'stream-id-span',
    '§5.1, §7.3.3',
    'An L1STD has 2^(Span-1) entries; a StreamID beyond them, or a Span that is 0, reserved or larger than SPLIT+1, gives C_BAD_STREAMID.',
  ),
  rule(
    'stream-table-alignment',
    '§5.1',
    'The second level of the stream table is aligned to its size by the SMMU: bits L2Ptr[4+Span:0] are treated as 0.',
  ),
  rule(
    'stream-id-silent',
    '§7.3.3, §6.3.12',
    'While CR2.RECINVSID is 0, transactions with a bad StreamID are aborted without event.',
  ),
  rule(
    'stream-table-format',
    '§6.3.25',
    'STRTAB_BASE_CFG.FMT says how the stream table is read: written as linear while translation is off, it is linear from then on.',
  ),
  rule(
    'ste-bypass-address-size',
    '§3.4',
    'An address beyond the output address size, through an STE that bypasses, is aborted with F_ADDR_SIZE.',
  ),
  // Walks.
  rule(
    'pcie-unprivileged',
    '§3.9, §13.7; Arm ARM D8.4',
    'A PCIe transaction without PASID is unprivileged: a page that AP[1] or APTable[0] keeps from unprivileged accesses gives F_PERMISSION.',
  ),
  rule(
    'hierarchical-permissions',
    'Arm ARM D8.4 (R_YTXKB); §5.4.1',
    'APTable limits every access through the tables below it, those that hit in the TLB included.',
  ),
  rule('permissions', 'Arm ARM D8.4; §7.3.16', 'An access that the permissions of its page refuse gives F_PERMISSION.'),
  rule(
    'block-levels',
    'Arm ARM D8.3.1',
    'Without 52-bit descriptors a block is valid at levels 1 and 2 (4 KiB granule) or at level 2 (16 and 64 KiB); at any other level it gives a Translation fault.',
  ),
  rule(
    'table-address-size',
    '§3.4.3, §7.3.14',
    'A table descriptor whose address is beyond the effective IPS gives F_ADDR_SIZE, and the address is not accessed.',
  ),
  rule(
    'output-address-size',
    '§3.4, §7.3.14',
    'A block or page whose output is beyond the effective IPS gives F_ADDR_SIZE.',
  ),
  rule(
    'fault-order-hierarchical',
    '§7.3.22; Arm ARM D8.4 (I_GQYCH)',
    'A permission fault is found on the final descriptor only: missing permission by APTable does not come before the faults of the levels below.',
  ),
  rule('fault-order-address-size', '§7.3.22', 'F_ADDR_SIZE of a descriptor comes before F_ACCESS and F_PERMISSION.'),
  rule(
    'fault-order',
    '§7.3.22',
    'Of several faults of one transaction the one that the architecture orders first is reported.',
  ),
  rule(
    'input-range',
    '§3.4.1, §7.3.13',
    'An address outside the input range of its table, or in a half that EPD disables, gives F_TRANSLATION.',
  ),
  rule('access-flag', '§5.4, §7.3.15', 'A final descriptor with AF clear gives F_ACCESS unless AFFD is set.'),
  rule('translation-valid', 'Arm ARM D8.3', 'A valid mapping translates to the address that its descriptors say.'),
  // Stage 2 and nesting.
  rule(
    's2-concatenated-tables',
    'Arm ARM D8.2.2; §5.2 (S2SL0)',
    'The concatenated tables at the start level of stage 2 are one table, indexed by all bits of the IPA above that level.',
  ),
  rule(
    'nested-descriptor-address',
    '§3.3.2, §7.3.22',
    'Stage 2 translates the IPA of every stage 1 descriptor that is fetched, not only that of the table it is in.',
  ),
  rule(
    'nested-root-table',
    '§7.3.22, §5.4.1, §4.4.3',
    'The root tables of stage 1 are translated by stage 2 in the walk that reads them, after the input address is checked, and what the TLB invalidations cover includes that.',
  ),
  rule(
    'protected-walk',
    '§5.2 (S2PTW)',
    'With STE.S2PTW set, the fetch of a CD or of a stage 1 descriptor from what stage 2 maps as Device memory gives F_PERMISSION.',
  ),
  rule(
    'stage2-only-recorded',
    '§3.4, §5.2 (S2R), §7.3.14, §7.3.16',
    'Without stage 1, a fault of stage 2 is recorded if STE.S2R is set, and an input address beyond the IPA size is recorded as F_ADDR_SIZE, whether or not an entry for it is cached.',
  ),
  rule(
    'permissions-both-stages',
    'Arm ARM D8.4; §7.3.16, §7.3.22',
    'An access needs the permission of both stages; what stage 1 refuses is a fault of stage 1.',
  ),
  // Events.
  rule(
    'event-ipa-alignment',
    '§7.3, §7.3.13',
    'The IPA of a record is that of a page of 4 KiB: the bits below, which are not part of the field, are 0.',
  ),
  rule(
    'event-input-attributes',
    '§7.3.13',
    'RnW, InD and PnU of a record describe the transaction, also where stage 2 refused the fetch of a CD or of a stage 1 descriptor.',
  ),
  rule(
    'event-stage',
    '§7.3.13',
    'S2, CLASS and IPA of a record say at which stage a fault arose and what was being translated: a CD, a stage 1 descriptor, or the input.',
  ),
  rule(
    'event-fetch-address',
    '§7.3.4, §7.3.10, §7.3.12',
    'F_STE_FETCH, F_CD_FETCH and F_WALK_EABT report the address of the fetch in FetchAddr; fields that the event does not have are 0.',
  ),
  rule(
    'event-fields',
    '§7.3',
    'An event record describes the transaction: StreamID, RnW, InputAddr, CLASS and the other fields of its event.',
  ),
  rule(
    'event-recorded',
    '§5.5, §7.2',
    'A fault is recorded once, unless CD.R suppresses it (Translation-related faults only).',
  ),
  rule(
    'event-queue-overflow',
    '§7.4',
    'A record that a full event queue cannot take is discarded, and EVENTQ_PROD.OVFLG is toggled; GERROR reports no abort.',
  ),
  // Commands.
  rule(
    'command-illegal-range',
    '§4.4.1.1',
    'NUM = 0, SCALE = 0, TTL = 0 with a TG that is not 0 is Reserved and stops the queue with CERROR_ILL.',
  ),
  rule(
    'command-illegal-el2',
    '§4.4.2.7 to §4.4.2.10',
    'The CMD_TLBI_EL2_* commands stop the queue with CERROR_ILL where IDR0.Hyp is 0.',
  ),
  rule(
    'command-illegal-ats',
    '§4.5.1, §4.5.2',
    'CMD_ATC_INV and CMD_PRI_RESP stop the queue with CERROR_ILL where IDR0.ATS, IDR0.PRI is 0.',
  ),
  rule(
    'command-illegal-stall',
    '§4.7.1, §4.7.2',
    'CMD_RESUME and CMD_STALL_TERM stop the queue with CERROR_ILL where the device does not stall (IDR0.STALL_MODEL is 1).',
  ),
  rule('command-illegal', '§4.1.3, §7.1', 'A reserved command stops the queue with CERROR_ILL.'),
  rule('command-legal', '§4', 'A legal command is consumed.'),
  rule(
    'global-bypass',
    '§6.3.9.6, §6.3.14',
    'While CR0.SMMUEN is 0, transactions bypass, or with GBPA.ABORT are aborted without event.',
  ),
  rule(
    'device-survives',
    '§4.1.3, §5.2.2, §5.4.2',
    'What software gets wrong is reported, as an event or a command error; the SMMU goes on working.',
  ),
] as const satisfies readonly Rule[];

/** Identifier of a rule. */
export type RuleId = (typeof rules)[number]['id'];

/** The rule with an identifier. */
export const ruleOf = (id: RuleId): Rule & { readonly id: RuleId } =>
  rules.find((one) => one.id === id) as Rule & { readonly id: RuleId };
