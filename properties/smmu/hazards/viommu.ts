import { step, type Step, type Task } from '../../../engine/step.ts';
import type { Command, EntryChange } from '../../../impl/kernel/index.ts';
import {
  ArmSmmuAttach,
  ArmVsmmu,
  StreamTableEntries,
  type AttachedTo,
  type Device,
  type NestedDomain,
  type PagingDomain,
  type VirtualSte,
} from '../../../impl/kernel/nested/index.ts';
import { COMMAND_TLBI, patch, read, STE, STE_CONFIG } from '../../../model/architecture/arm/layout/index.ts';
import { STALE, WRONG_CONFIGURATION } from './expected.ts';
import type { SmmuHazard } from './hazard.ts';

/** Passes the guest's VMID on. */
class GuestVmid extends ArmVsmmu {
  protected override withVmid(command: Command, opcode: number): Command {
    return { label: command.label, lanes: patch(COMMAND_TLBI, command.lanes, { Opcode: opcode }) };
  }
}

/** Passes the guest's StreamID on. */
class GuestStreamId extends ArmVsmmu {
  protected override withStream(command: Command): Command {
    return command;
  }
}

/** Takes the first device of the virtual machine for every virtual StreamID. */
class FirstDevice extends ArmVsmmu {
  protected override *arm_vsmmu_vsid_to_sid(vsid: number): Task<number> {
    const found = yield* super.arm_vsmmu_vsid_to_sid(vsid);
    return found < 0 ? found : (this.kernel.masters[0]?.streamId ?? found);
  }
}

/** Tells the guest that its commands are done when they are in the queue. */
class NoWait extends ArmVsmmu {
  override *cache_invalidate(commands: readonly Command[]): Task<number> {
    let taken = 0;
    for (const command of commands) {
      const converted = yield* this.arm_vsmmu_convert_user_cmd(command);
      if (converted === undefined) break;
      yield* this.kernel.cmdq.issue([converted], false);
      taken++;
    }
    return taken;
  }
}

/** Takes a vdevice away although its device is nested. */
class DestroyAttached extends ArmVsmmu {
  protected override eraseVdevice(device: Device): Step<boolean> {
    return step(`xa_erase(vdevs, ${device.master.name})`, () => {
      if (device.vsid.value === 0) return false;
      device.vsid.value = 0;
      return true;
    });
  }
}

/** Attaches a nested domain to a device that the guest has no name for. */
class NoVsid extends ArmSmmuAttach {
  // eslint-disable-next-line require-yield
  protected override *arm_smmu_attach_prepare_vmaster(): Task<boolean> {
    return true;
  }
}

/** Takes the guest's Config as it is. */
class GuestConfig extends StreamTableEntries {
  override nested(nested: NestedDomain, parent: PagingDomain, ats: boolean): EntryChange {
    const { what, target } = super.nested(nested, parent, ats);
    const isBypass = (): boolean => read(STE.fields.Config, this.copied(nested)) === STE_CONFIG.BYPASS;
    return {
      what,
      target: (current) => {
        const entry = target(current);
        return isBypass() ? patch(STE, entry, { Config: STE_CONFIG.BYPASS }) : entry;
      },
    };
  }
}

/** Looks at the guest's words again when the entry is made. */
class RereadEntry extends ArmSmmuAttach {
  protected override steOf(device: Device, to: AttachedTo, ats: boolean): EntryChange {
    const change = super.steOf(device, to, ats);
    if (to.kind !== 'nested') return change;
    const { memory, guest, nested, parent } = this.kernel;
    const reread = new Reread(this.kernel, () => memory.readWords(guest.vste(device), 2) as unknown as VirtualSte);
    return reread.nested(nested.at(to.handle), parent, ats);
  }
}

/** Entries of nested domains from words that are read now. */
class Reread extends StreamTableEntries {
  readonly #words: () => VirtualSte;

  constructor(kernel: ArmSmmuAttach['kernel'], words: () => VirtualSte) {
    super(kernel);
    this.#words = words;
  }

  protected override copied(): VirtualSte {
    return this.#words();
  }
}

const CONVERT = 'arm_vsmmu_convert_user_cmd(), Linux 6.14 and later';

/** The guest's VMID. */
export const viommuInvVmidRewrite: SmmuHazard = {
  id: 'viommu-inv-vmid-rewrite',
  title: 'a guest’s TLB invalidation keeps the VMID that the guest wrote',
  citation: `${CONVERT}: the guest cannot be trusted with a VMID; IHI 0070 §4.4.2`,
  story:
    'The guest’s command names VMID 0, since that is what it thinks it has. Passed on as it is, it invalidates the host’s entries and leaves the guest’s: the guest frees a page that its device still reaches.',
  expected: STALE,
  parts: { viommu: GuestVmid },
};

/** The guest's StreamID. */
export const viommuInvSidRewrite: SmmuHazard = {
  id: 'viommu-inv-sid-rewrite',
  title: 'a guest’s invalidation keeps the virtual StreamID',
  citation: `${CONVERT}: arm_vsmmu_vsid_to_sid()`,
  story:
    'CMD_CFGI_CD and CMD_ATC_INV of a guest name its own StreamIDs. Passed on as they are, they reach some other device or none, and the guest’s device goes on with the old context descriptor.',
  expected: [...STALE, ...WRONG_CONFIGURATION],
  parts: { viommu: GuestStreamId },
};

/** The wrong device. */
export const viommuInvWrongDevice: SmmuHazard = {
  id: 'viommu-inv-wrong-device',
  title: 'a guest’s invalidation by StreamID reaches another device of its',
  citation: `${CONVERT}; iommufd_viommu_find_dev(), Linux 6.13: looks the virtual id up in the viommu`,
  story:
    'The virtual StreamID is looked up once for a virtual machine, so that the second device’s invalidations go to the first one.',
  expected: [...STALE, ...WRONG_CONFIGURATION],
  parts: { viommu: FirstDevice },
};

/** No wait. */
export const viommuInvNoSync: SmmuHazard = {
  id: 'viommu-inv-no-sync',
  title: 'a guest’s commands are done for the guest when they are issued',
  citation: 'arm_vsmmu_cache_invalidate(), Linux 6.14: issues the list with a CMD_SYNC and waits',
  story:
    'The hypervisor puts the guest’s invalidations into the queue and returns. The guest takes its CMD_SYNC for consumed and gives the page to somebody else.',
  expected: [...STALE, ...WRONG_CONFIGURATION],
  parts: { viommu: NoWait },
};

/** No name. */
export const smmuVsidBeforeAttach: SmmuHazard = {
  id: 'smmu-vsid-before-attach',
  title: 'a device is nested before its virtual StreamID stands for it',
  citation: 'arm_smmu_attach_prepare_vmaster(), iommufd_viommu_get_vdev_id(), Linux 6.15: -ENOENT without a vdevice',
  story:
    'The device translates by the guest’s tables, but the guest’s CMD_CFGI_CD and CMD_ATC_INV for it are refused, since the hypervisor knows no such virtual StreamID. What the SMMU caches of the device stays.',
  expected: [...STALE, ...WRONG_CONFIGURATION],
  parts: { attach: NoVsid },
};

/** The name goes while in use. */
export const viommuVdeviceDestroyAttached: SmmuHazard = {
  id: 'viommu-vdevice-destroy-attached',
  title: 'a virtual StreamID is taken away while its device is nested',
  citation: 'iommufd_vdevice_abort(), "iommufd: Destroy vdevice on idevice destroy", Linux 6.17',
  story:
    'The vdevice is destroyed under a guest that is changing the device’s context descriptor: its CMD_CFGI_CD is refused, and the SMMU goes on with the old one.',
  expected: [...STALE, ...WRONG_CONFIGURATION],
  parts: { viommu: DestroyAttached },
};

/** Config unchecked. */
export const viommuSteConfig: SmmuHazard = {
  id: 'viommu-ste-config',
  title: 'Config of a guest’s stream table entry becomes Config of the real one',
  citation: 'arm_smmu_make_nested_domain_ste(), Linux 6.13: a guest’s bypass becomes stage 2 alone; IHI 0070 §5.2',
  story:
    'A guest sets one of its devices to bypass, and the hypervisor does the same: the device reaches all of physical memory.',
  expected: WRONG_CONFIGURATION,
  parts: { entries: GuestConfig },
};

/** Check, then use. */
export const viommuSteDoubleFetch: SmmuHazard = {
  id: 'viommu-ste-double-fetch',
  title: 'a guest’s stream table entry is read again after it was checked',
  citation:
    'arm_smmu_validate_vste(), arm_vsmmu_alloc_domain_nested(), Linux 6.13: the words are copied once; double fetches: CWE-367',
  story:
    'The hypervisor checks the guest’s entry, decides what the device is attached to, and makes the real entry from the guest’s memory, word by word. The guest changes it in between: the device translates by something that was never checked.',
  expected: WRONG_CONFIGURATION,
  parts: { attach: RereadEntry },
};
