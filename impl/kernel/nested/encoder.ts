import { COMMAND_TLBI, encode, OPCODE } from '../../../model/architecture/arm/layout/index.ts';
import type { Command } from '../cmdq.ts';
import { hex } from '../format.ts';
import { ArmSmmuTlb, type TlbRange } from '../tlb.ts';

/** Added to a VMID where a tag may be an ASID or a VMID. */
const VMID_TAG = 0x1_0000;

/** The tag of stage 2 entries of a VMID, for `arm_smmu_tlb_inv_range`. */
export function vmidTag(vmid: number): number {
  return VMID_TAG + vmid;
}

/** TLB invalidation commands for stage 1 by ASID (of VMID 0, which no virtual machine has) and for stage 2 by VMID. */
export class Stage12Tlb extends ArmSmmuTlb {
  /** CMD_TLBI_NH_ASID, or everything of a VMID: CMD_TLBI_S12_VMALL. */
  override asidCommand(tag: number): Command {
    if (tag < VMID_TAG) return super.asidCommand(tag);
    const vmid = tag - VMID_TAG;
    const lanes = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_S12_VMALL, VMID: vmid });
    return { label: `CMD_TLBI_S12_VMALL VMID ${vmid}`, lanes };
  }

  /** CMD_TLBI_NH_ALL: all of stage 1, and of nested stage 1, under a VMID. */
  nhAllCommand(vmid: number): Command {
    const lanes = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_ALL, VMID: vmid });
    return { label: `CMD_TLBI_NH_ALL VMID ${vmid}`, lanes };
  }

  /** CMD_TLBI_NH_VA or CMD_TLBI_S2_IPA. */
  protected override vaCommand(
    tag: number,
    iova: number,
    range: TlbRange,
    pages: number,
    fields: { Num?: number; Scale?: number; TG?: number; TTL?: number },
  ): Command {
    if (tag < VMID_TAG) return super.vaCommand(tag, iova, range, pages, fields);
    const vmid = tag - VMID_TAG;
    const leaf = range.leaf ? 1 : 0;
    const command = { Opcode: OPCODE.TLBI_S2_IPA, VMID: vmid, Address: iova, Leaf: leaf, ...fields };
    const extent = pages === 1 ? '' : `, ${pages} pages`;
    return { label: `CMD_TLBI_S2_IPA VMID ${vmid}, ${hex(iova)}${extent}`, lanes: encode(COMMAND_TLBI, command) };
  }
}
