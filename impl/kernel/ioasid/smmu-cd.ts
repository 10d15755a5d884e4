import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  CD,
  COMMAND_ATC_INV,
  COMMAND_CFGI,
  COMMAND_SYNC,
  COMMAND_TLBI,
  encode,
  OPCODE,
  TG0,
  TG1,
} from '../../../model/architecture/arm/layout/index.ts';
import type { IoasidKernel } from './kernel.ts';
import type { CdPort } from './port.ts';

const SYNC = encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC });
/** `COMMAND_ATC_INV.Size` of every address. */
const EVERY_ADDRESS = 52;

/**
 * PASIDs as substreams of an SMMUv3: the owner's context descriptor under the number, in the table of each device
 * (`arm_smmu_write_ctx_desc()`, `arm_smmu_sva_bind()`, `arm_smmu_mm_release()`). The ASID of a bond is its number, so that both
 * are free at the same time. `pasid_mutex` is held, where the kernel has `sva_lock`.
 */
export class SmmuCds {
  protected readonly kernel: IoasidKernel;
  protected readonly port: CdPort;

  constructor(kernel: IoasidKernel, port: CdPort) {
    this.kernel = kernel;
    this.port = port;
  }

  /** All words but the first; when nothing older is cached, the first one (IHI 0070 §3.21.3.1). */
  *setup(device: number, pasid: number, owner: number): Task {
    const usual = { V: 1, AA64: 1, A: 1, R: 1, ASET: 1, IPS: 5, T0SZ: 39, TG0: TG0.GRANULE_4K };
    const unused = { EPD1: 1, T1SZ: 39, TG1: TG1.GRANULE_4K };
    const lanes = encode(CD, { ...usual, ...unused, ASID: pasid, TTB0: this.port.table(owner) });
    yield* step(`CD(dev${device}, ${pasid}) := ASID ${pasid}, table`, () => {
      for (let word = 1; word < CD.words; word++) this.writeWord(device, pasid, word, lanes);
      return undefined;
    });
    yield* this.sync_cd(device, pasid);
    yield* step(`CD(dev${device}, ${pasid}).V := 1`, () => {
      this.writeWord(device, pasid, 0, lanes);
      return undefined;
    });
    yield* this.sync_cd(device, pasid);
  }

  /** The descriptor, then translations, then what the device has of these: each before what may be filled from it. */
  *tearDown(device: number, pasid: number): Task {
    yield* this.clearCd(device, pasid);
    yield* this.sync_cd(device, pasid);
    yield* this.tlb_inv_asid(pasid);
    yield* this.atc_inv_master(device, pasid);
  }

  protected clearCd(device: number, pasid: number): Step<undefined> {
    return step(`CD(dev${device}, ${pasid}).V := 0`, () => {
      this.port.writeCd(device, pasid, 0, 0, 0);
      return undefined;
    });
  }

  /** `arm_smmu_sync_cd()`. */
  protected *sync_cd(device: number, pasid: number): Task {
    const fields = { Opcode: OPCODE.CFGI_CD, StreamID: this.port.streamId(device), SubstreamID: pasid, Leaf: 1 };
    yield* this.issue_cmd_with_sync(`CFGI_CD(dev${device}, ${pasid}), SYNC`, encode(COMMAND_CFGI, fields));
  }

  /** `arm_smmu_tlb_inv_asid()`. */
  protected *tlb_inv_asid(asid: number): Task {
    const lanes = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_ASID, ASID: asid });
    yield* this.issue_cmd_with_sync(`TLBI_NH_ASID(${asid}), SYNC`, lanes);
  }

  /** `arm_smmu_atc_inv_master()`. */
  protected *atc_inv_master(device: number, pasid: number): Task {
    const place = { StreamID: this.port.streamId(device), SSV: 1, SubstreamID: pasid };
    const lanes = encode(COMMAND_ATC_INV, { Opcode: OPCODE.ATC_INV, ...place, Size: EVERY_ADDRESS });
    yield* this.issue_cmd_with_sync(`ATC_INV(dev${device}, ${pasid}), SYNC`, lanes);
  }

  /** The command, and a CMD_SYNC, which is waited for. */
  protected *issue_cmd_with_sync(what: string, lanes: readonly number[]): Task {
    const end = yield* this.issue(what, [lanes, SYNC]);
    yield* step('CMD_SYNC done', () => {
      this.port.completed(end);
      return undefined;
    });
  }

  /** Returns the place in the queue after the commands. */
  protected issue(what: string, commands: readonly (readonly number[])[]): Step<number> {
    return step(what, () => {
      this.kernel.machine.mightSleep('arm_smmu_cmdq_issue_cmdlist');
      return this.port.issue(commands);
    });
  }

  /** Inside a step. */
  protected writeWord(device: number, pasid: number, word: number, lanes: readonly number[]): void {
    this.port.writeCd(device, pasid, word, lanes[2 * word] as number, lanes[2 * word + 1] as number);
  }
}
