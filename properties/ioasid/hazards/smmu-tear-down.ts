import type { Task } from '../../../engine/step.ts';
import { SmmuCds } from '../../../impl/kernel/ioasid/index.ts';
import { COMMAND_CFGI, encode, OPCODE } from '../../../model/architecture/arm/layout/index.ts';
import { rule, type IoasidHazard } from './hazard.ts';

const TEAR_DOWN = 'arm_smmu_mm_release(), arm_smmu_sva_unbind(), Linux 6.1';
const STAYS = [rule('reclaimed-while-live'), rule('reachable-after-unbind')];

/** Mistakes in how a context descriptor of an SMMUv3 goes with its PASID. */
export const SMMU_TEAR_DOWN_HAZARDS: readonly IoasidHazard[] = [
  {
    id: 'smmu-pasid-no-cfgi-cd',
    title: 'the context descriptor is cleared, and cached ones are not invalidated',
    citation: `${TEAR_DOWN}; arm_smmu_sync_cd(); IHI 0070 §3.21.3`,
    story: 'Translations are invalidated, and made again by the cached descriptor.',
    expected: STAYS,
    table: 'smmu',
    parts: {
      smmuCds: class extends SmmuCds {
        override *tearDown(device: number, pasid: number): Task {
          yield* this.clearCd(device, pasid);
          yield* this.tlb_inv_asid(pasid);
          yield* this.atc_inv_master(device, pasid);
        }
      },
    },
  },
  {
    id: 'smmu-pasid-no-cfgi-sync',
    title: 'the invalidation of context descriptors is not waited for',
    citation: `${TEAR_DOWN}; arm_smmu_sync_cd(): arm_smmu_cmdq_batch_submit() with a CMD_SYNC; IHI 0070 §4.7.3`,
    story: 'Translations are invalidated while the descriptor is still cached.',
    expected: STAYS,
    table: 'smmu',
    parts: {
      smmuCds: class extends SmmuCds {
        override *tearDown(device: number, pasid: number): Task {
          yield* this.clearCd(device, pasid);
          const fields = { Opcode: OPCODE.CFGI_CD, StreamID: this.port.streamId(device), SubstreamID: pasid, Leaf: 1 };
          yield* this.issue(`CFGI_CD(dev${device}, ${pasid})`, [encode(COMMAND_CFGI, fields)]);
          yield* this.tlb_inv_asid(pasid);
          yield* this.atc_inv_master(device, pasid);
        }
      },
    },
  },
  {
    id: 'smmu-pasid-no-tlbi',
    title: 'the TLB keeps what the ASID of a PASID was used for',
    citation: `${TEAR_DOWN}; arm_smmu_tlb_inv_asid()`,
    story: 'The ASID is free with the number, and its next user hits the translations of the one before.',
    expected: STAYS,
    table: 'smmu',
    parts: {
      smmuCds: class extends SmmuCds {
        protected override *tlb_inv_asid(): Task {}
      },
    },
  },
  {
    id: 'smmu-pasid-no-atc-inv',
    title: 'the ATC keeps the translations of a PASID',
    citation: `${TEAR_DOWN}; arm_smmu_atc_inv_master()`,
    story: 'The device has translations of its own, for which it does not ask again.',
    expected: STAYS,
    table: 'smmu',
    parts: {
      smmuCds: class extends SmmuCds {
        protected override *atc_inv_master(): Task {}
      },
    },
  },
  {
    id: 'smmu-pasid-atc-inv-first',
    title: 'the ATC is invalidated before context descriptors are',
    citation: `${TEAR_DOWN}; IHI 0070 §3.9.1: the ATC last`,
    story: 'The device asks again and is answered by the cached descriptor.',
    expected: STAYS,
    table: 'smmu',
    parts: {
      smmuCds: class extends SmmuCds {
        override *tearDown(device: number, pasid: number): Task {
          yield* this.clearCd(device, pasid);
          yield* this.atc_inv_master(device, pasid);
          yield* this.sync_cd(device, pasid);
          yield* this.tlb_inv_asid(pasid);
        }
      },
    },
  },
  {
    id: 'smmu-pasid-tlbi-first',
    title: 'the TLB is invalidated before context descriptors are',
    citation: `${TEAR_DOWN}; IHI 0070 §3.21.3`,
    story: 'The TLB is filled again by a walk of the cached descriptor.',
    expected: STAYS,
    table: 'smmu',
    parts: {
      smmuCds: class extends SmmuCds {
        override *tearDown(device: number, pasid: number): Task {
          yield* this.clearCd(device, pasid);
          yield* this.tlb_inv_asid(pasid);
          yield* this.sync_cd(device, pasid);
          yield* this.atc_inv_master(device, pasid);
        }
      },
    },
  },
  {
    id: 'smmu-pasid-flush-before-clear',
    title: 'everything is invalidated, then the context descriptor is cleared',
    citation: TEAR_DOWN,
    story: 'The descriptor is fetched once more between the commands and the write.',
    expected: STAYS,
    table: 'smmu',
    parts: {
      smmuCds: class extends SmmuCds {
        override *tearDown(device: number, pasid: number): Task {
          yield* this.sync_cd(device, pasid);
          yield* this.tlb_inv_asid(pasid);
          yield* this.atc_inv_master(device, pasid);
          yield* this.clearCd(device, pasid);
        }
      },
    },
  },
];
