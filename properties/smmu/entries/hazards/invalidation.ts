import { ArmSmmuConfigWriter, type EntryRef, type Master } from '../../../../impl/kernel/index.ts';
import { COMMAND_CFGI, OPCODE, patch } from '../../../../model/architecture/arm/layout/index.ts';
import { STALE, type EntriesHazard } from './hazard.ts';

class LeafOnlyWriter extends ArmSmmuConfigWriter {
  override l1Cd(master: Master, ssid: number): EntryRef {
    return { ...super.l1Cd(master, ssid), invalidate: super.cd(master, ssid).invalidate };
  }
}

class WrongSubstreamWriter extends ArmSmmuConfigWriter {
  override cd(master: Master, ssid: number): EntryRef {
    return { ...super.cd(master, ssid), invalidate: super.cd(master, 0).invalidate };
  }
}

class WrongStructureWriter extends ArmSmmuConfigWriter {
  override ste(master: Master): EntryRef {
    const entry = super.ste(master);
    const values = { Opcode: OPCODE.CFGI_CD_ALL };
    return {
      ...entry,
      invalidate: { ...entry.invalidate, lanes: patch(COMMAND_CFGI, entry.invalidate.lanes, values) },
    };
  }
}

/** Mistakes in the invalidation that follows. */
export const INVALIDATION_HAZARDS: readonly EntriesHazard[] = [
  {
    id: 'smmu-l1cd-leaf',
    title: 'a second-level CD table is linked and invalidated with CFGI_CD, Leaf=1',
    citation:
      'arm_smmu_write_cd_l1_desc() and arm_smmu_sync_cd(…, leaf = false), Linux 6.1: "An invalid L1CD can be cached"; IHI 0070 §3.21.3',
    story:
      'The SMMU has cached the level 1 descriptor while it was invalid. The command with Leaf=1 drops the descriptor of the second level only, so the device is refused although its descriptor is in place.',
    expected: STALE,
    parts: { configWriter: LeafOnlyWriter },
  },
  {
    id: 'cd-cfgi-wrong-ssid',
    title: 'CFGI_CD names another substream than the one whose descriptor was rewritten',
    citation: 'arm_smmu_sync_cd(), Linux 6.1; IHI 0070 §4.3.3: CFGI_CD covers one StreamID and one SubstreamID',
    story: 'The SMMU keeps the old descriptor: nothing that was issued covers it.',
    expected: STALE,
    parts: { configWriter: WrongSubstreamWriter },
  },
  {
    id: 'ste-cfgi-cd-all',
    title: 'a stream table entry is rewritten and CFGI_CD_ALL issued',
    citation: 'arm_smmu_sync_ste_for_sid(), Linux 6.1; IHI 0070 §4.3.4: CFGI_CD_ALL covers no STE',
    story: 'All context descriptors of the stream go, but the SMMU keeps the stream table entry itself.',
    expected: STALE,
    parts: { configWriter: WrongStructureWriter },
  },
];
