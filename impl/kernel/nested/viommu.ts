import { HarnessError } from '../../../engine/failure.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import {
  COMMAND,
  COMMAND_ATC_INV,
  COMMAND_CFGI,
  COMMAND_TLBI,
  OPCODE,
  patch,
  read,
  STE,
} from '../../../model/architecture/arm/layout/index.ts';
import type { Command } from '../cmdq.ts';
import type { NestedKernel } from './kernel.ts';
import type { AttachedTo, Device, NestedDomain } from './objects.ts';
import type { VirtualConfig, VirtualSte } from './ste.ts';

/** Names of the commands that a guest's may become. */
const NAMES: Readonly<Record<number, string>> = {
  [OPCODE.TLBI_NH_ALL]: 'CMD_TLBI_NH_ALL',
  [OPCODE.TLBI_NH_ASID]: 'CMD_TLBI_NH_ASID',
  [OPCODE.TLBI_NH_VA]: 'CMD_TLBI_NH_VA',
  [OPCODE.TLBI_NH_VAA]: 'CMD_TLBI_NH_VAA',
  [OPCODE.CFGI_CD]: 'CMD_CFGI_CD',
  [OPCODE.CFGI_CD_ALL]: 'CMD_CFGI_CD_ALL',
  [OPCODE.ATC_INV]: 'CMD_ATC_INV',
};
const NOT_FOUND = -1;

/**
 * The hypervisor's half of a virtual SMMU (`struct arm_vsmmu`, iommufd's viommu): virtual StreamIDs, the guest's stream
 * table entries, and the guest's invalidation commands. Nothing that a guest says reaches the hardware unchecked.
 */
export class ArmVsmmu {
  protected readonly kernel: NestedKernel;
  /** `viommu->vdevs.xa_lock`: over the virtual StreamIDs. */
  protected readonly lock: SpinLock;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
    this.lock = new SpinLock(kernel.machine, 'vdevs.xa_lock');
  }

  /** `iommufd_vdevice_alloc_ioctl()`: the guest's virtual StreamID of a device stands for it. False if it has one. */
  *vdevice_alloc(device: Device): Task<boolean> {
    return yield* step(`xa_cmpxchg(vdevs, ${device.master.name})`, () => {
      const taken = this.kernel.devices.some((each) => each.vsid.value === device.plugged.value);
      if (device.plugged.value === 0 || device.vsid.value !== 0 || taken) return false;
      device.vsid.value = device.plugged.value;
      return true;
    });
  }

  /** `iommufd_vdevice_destroy()`: only while the device is not nested, as the device is unbound. */
  *vdevice_destroy(device: Device): Task<boolean> {
    const { master } = device;
    yield* master.group.lock();
    const done = yield* this.eraseVdevice(device);
    yield* master.group.unlock();
    return done;
  }

  /** Takes the virtual StreamID of a device back. */
  protected eraseVdevice(device: Device): Step<boolean> {
    return step(`xa_erase(vdevs, ${device.master.name})`, () => {
      if (device.vsid.value === 0 || this.kernel.isNested(device)) return false;
      device.vsid.value = 0;
      return true;
    });
  }

  /**
   * `arm_vsmmu_alloc_domain_nested()`: takes the words of a guest's entry over, once, then checks what it has. Returns what
   * the device is to be attached to, or undefined if a guest may not have such an entry.
   */
  *alloc_domain_nested(vste: number): Task<(AttachedTo & { readonly kind: 'nested' }) | undefined> {
    const { nested, entries } = this.kernel;
    const handle = yield* step('kzalloc(nested)', () => this.kernel.kzalloc(nested));
    if (handle === 0) return undefined;
    const domain = nested.at(handle);
    yield* this.copy_from_user(domain, vste);
    const checked = yield* step('arm_smmu_validate_vste', () => {
      const words = this.words(domain);
      const config = entries.arm_smmu_validate_vste(words);
      if (config === undefined) return 0;
      domain.ats.value = config === 'stage 1' ? read(STE.fields.EATS, words) : 0;
      return 1 + domain.ats.value;
    });
    if (checked > 0) return { kind: 'nested', handle, ats: checked > 1 };
    yield* this.freeNested(handle);
    return undefined;
  }

  /** `copy_struct_from_user()` of the two words, one after the other. */
  protected *copy_from_user(domain: NestedDomain, vste: number): Task {
    for (const word of [0, 1])
      yield* step(`copy_from_user(${domain.name}.ste[${word}])`, () => {
        const { memory } = this.kernel;
        const [low, high] = [domain.ste[2 * word], domain.ste[2 * word + 1]];
        if (low === undefined || high === undefined) throw new HarnessError('an entry has two words');
        low.value = memory.low(vste + 8 * word);
        high.value = memory.high(vste + 8 * word);
        return undefined;
      });
  }

  /** `arm_smmu_domain_nested_free()`. */
  freeNested(handle: number): Step<undefined> {
    return step(`kfree(nested${handle - 1})`, () => {
      this.kernel.nested.free(handle);
      return undefined;
    });
  }

  /** What a nested domain's guest has asked for. Inside a step. */
  asked(domain: NestedDomain): VirtualConfig {
    return this.kernel.entries.arm_smmu_validate_vste(this.words(domain)) ?? 'abort';
  }

  /** The words that were taken over. Inside a step. */
  protected words(domain: NestedDomain): VirtualSte {
    return domain.ste.map((lane) => lane.value) as unknown as VirtualSte;
  }

  /**
   * `arm_vsmmu_cache_invalidate()`: a guest's commands, each checked and rewritten, then issued as one list and waited for.
   * Returns how many were taken: the one behind them was refused.
   */
  *cache_invalidate(commands: readonly Command[]): Task<number> {
    const rewritten: Command[] = [];
    for (const command of commands) {
      const converted = yield* this.arm_vsmmu_convert_user_cmd(command);
      if (converted === undefined) break;
      rewritten.push(converted);
    }
    if (rewritten.length > 0) yield* this.kernel.cmdq.issueSync(rewritten);
    return rewritten.length;
  }

  /**
   * `arm_vsmmu_convert_user_cmd()`: TLB invalidations get the virtual machine's VMID, those by StreamID the device's own;
   * everything else is refused.
   */
  protected *arm_vsmmu_convert_user_cmd(command: Command): Task<Command | undefined> {
    const opcode = read(COMMAND.fields.Opcode, command.lanes);
    switch (opcode) {
      case OPCODE.TLBI_NSNH_ALL:
      case OPCODE.TLBI_NH_ALL:
      case OPCODE.TLBI_NH_ASID:
      case OPCODE.TLBI_NH_VA:
      case OPCODE.TLBI_NH_VAA:
        return this.withVmid(
          command,
          opcode === OPCODE.TLBI_NSNH_ALL ? OPCODE.TLBI_NH_ALL : opcode,
          yield* this.vmid(),
        );
      case OPCODE.CFGI_CD:
      case OPCODE.CFGI_CD_ALL:
      case OPCODE.ATC_INV: {
        const streamId = yield* this.arm_vsmmu_vsid_to_sid(read(COMMAND_CFGI.fields.StreamID, command.lanes));
        return streamId === NOT_FOUND ? undefined : this.withStream(command, streamId);
      }
      default:
        return undefined;
    }
  }

  /** The VMID of the virtual machine: its stage 2 domain's. */
  protected vmid(): Step<number> {
    return this.kernel.parent.vmid.load();
  }

  /** `arm_vsmmu_vsid_to_sid()`: the StreamID of the device that has a virtual one now, -1 if there is none. */
  protected *arm_vsmmu_vsid_to_sid(vsid: number): Task<number> {
    yield* this.lock.lock();
    const streamId = yield* step(`vdevs[${vsid}]`, () => {
      const found = this.kernel.devices.find((device) => device.vsid.value === vsid + 1);
      return found === undefined ? NOT_FOUND : found.master.streamId;
    });
    yield* this.lock.unlock();
    return streamId;
  }

  protected withVmid({ label, lanes }: Command, opcode: number, vmid: number): Command {
    const rest = label.replace(/^CMD_\w+/, '');
    const name = NAMES[opcode] ?? '';
    return {
      label: `${name} VMID ${vmid}${rest === '' ? '' : `,${rest}`}`,
      lanes: patch(COMMAND_TLBI, lanes, { Opcode: opcode, VMID: vmid }),
    };
  }

  protected withStream({ label, lanes }: Command, streamId: number): Command {
    const name = this.kernel.masters.find((master) => master.streamId === streamId)?.name ?? '';
    const rewritten = patch(COMMAND_ATC_INV, lanes, { StreamID: streamId });
    return { label: label.replace(/vSID \d+/, name), lanes: rewritten };
  }
}
