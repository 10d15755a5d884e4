import { step, type Step, type Task } from '../../../engine/step.ts';
import { IntelPasid, type EntryTag } from '../../../impl/kernel/ioasid/index.ts';
import {
  DESCRIPTOR_TYPE,
  DEVICE_TLB_INVALIDATE,
  encode,
  PASID_CACHE_GRANULARITY,
  PASID_CACHE_INVALIDATE,
  PASID_ENTRY,
  PASID_IOTLB_INVALIDATE,
  type FieldValues,
} from '../../../model/architecture/vtd/layout/index.ts';
import { rule, type IoasidHazard } from './hazard.ts';

const TEAR_DOWN = 'intel_pasid_tear_down_entry(), Linux 6.1; VT-d §6.5.3.3';
const PRESENT = 'commit 75ed00055c05 "Clear Present bit before tearing down PASID entry", CVE-2026-45945';

/** The domain-id of all entries with a first stage alone. */
const FLPT_DEFAULT_DID = 1;

/** What shows when something is left: when unbind returns, when the number is free again, or when the next owner has it. */
const STAYS = [rule('reclaimed-while-live'), rule('reachable-after-unbind')];
const TORN = [rule('torn-entry')];

/** Mistakes in how an entry of VT-d is set up and torn down. */
export const TEAR_DOWN_HAZARDS: readonly IoasidHazard[] = [
  {
    id: 'vtd-pasid-cache-not-flushed',
    title: 'the entry is cleared, and the PASID-cache keeps it',
    citation: TEAR_DOWN,
    story: 'Translations are flushed, and made again from the cached entry.',
    expected: [...TORN, ...STAYS],
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *pasid_cache_invalidation_with_pasid(): Task {}
      },
    },
  },
  {
    id: 'vtd-iotlb-not-flushed',
    title: 'the IOTLB keeps the translations of an entry that was torn down',
    citation: TEAR_DOWN,
    story: 'The next entry with the same domain-id and PASID finds the translations of the one before.',
    expected: STAYS,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *flushIotlb(): Task {}
      },
    },
  },
  {
    id: 'vtd-devtlb-not-flushed',
    title: 'the device-TLB keeps the translations of an entry that was torn down',
    citation: TEAR_DOWN,
    story: 'The device has translations of its own, which it uses without asking anybody.',
    expected: STAYS,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *devtlb_invalidation_with_pasid(): Task {}
      },
    },
  },
  {
    id: 'vtd-qi-no-wait',
    title: 'the invalidations of the PASID-cache and the IOTLB have one wait for both',
    citation: 'qi_submit_sync(), Linux 6.1; VT-d §6.5.2.8: descriptors may be executed in any order',
    story: 'The IOTLB is flushed while the entry is still cached, and filled again from that.',
    expected: STAYS,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *pasid_cache_invalidation_with_pasid({ did, pasid }: EntryTag): Task {
          const fields = {
            Type: DESCRIPTOR_TYPE.PASID_CACHE,
            G: PASID_CACHE_GRANULARITY.PASID,
            DID: did,
            PASID: pasid,
          };
          const what = `PASID-cache invalidation(DID ${did}, PASID ${pasid})`;
          yield* this.submit(what, encode(PASID_CACHE_INVALIDATE, fields));
        }
      },
    },
  },
  {
    id: 'vtd-flush-before-clear',
    title: 'everything is flushed, then P is cleared',
    citation: TEAR_DOWN,
    story: 'The entry is fetched once more between the flush and the write.',
    expected: [...TORN, ...STAYS],
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        override *intel_pasid_tear_down_entry(device: number, pasid: number): Task {
          const tag = yield* step('did, pgtt', () => this.tagOf(device, pasid));
          yield* this.flush(this.entryTag(device, pasid, tag));
          yield* this.clear_present(device, pasid);
          yield* this.intel_pasid_clear_entry(device, pasid);
        }
      },
    },
  },
  {
    id: 'vtd-devtlb-before-iotlb',
    title: 'the device-TLB is flushed before the IOTLB',
    citation: TEAR_DOWN,
    story: 'The device asks again and is answered from the IOTLB.',
    expected: STAYS,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *flush(tag: EntryTag): Task {
          yield* this.pasid_cache_invalidation_with_pasid(tag);
          yield* this.devtlb_invalidation_with_pasid(tag);
          yield* this.flushIotlb(tag);
        }
      },
    },
  },
  {
    id: 'vtd-iotlb-before-pasid-cache',
    title: 'the IOTLB is flushed before the PASID-cache',
    citation: TEAR_DOWN,
    story: 'The IOTLB is filled again by an entry that is still cached.',
    expected: STAYS,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *flush(tag: EntryTag): Task {
          yield* this.flushIotlb(tag);
          yield* this.pasid_cache_invalidation_with_pasid(tag);
          yield* this.devtlb_invalidation_with_pasid(tag);
        }
      },
    },
  },
  {
    id: 'vtd-teardown-wrong-flush-type',
    title: 'a nested entry is flushed as if it had a first stage alone',
    citation: 'iommu list (Fixes 2cd1311a26673); intel_pasid_tear_down_entry(), Linux 6.1: PGTT decides',
    story: 'What the second stage gave is cached by domain, and stays.',
    expected: STAYS,
    table: 'vtd-nested',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override flushIotlb(tag: EntryTag): Task {
          return this.qi_flush_piotlb(tag);
        }
      },
    },
  },
  {
    id: 'vtd-teardown-wrong-did',
    title: 'a nested entry is flushed under the domain-id of entries with a first stage alone',
    citation: 'FLPT_DEFAULT_DID and pasid_get_domain_id(), Linux 6.1: the domain-id is that of the cached entry',
    story:
      'Nothing is cached under the domain-id of the flushes; the entry stays in the PASID-cache when it is cleared.',
    expected: [...TORN, ...STAYS],
    table: 'vtd-nested',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override flush(tag: EntryTag): Task {
          return super.flush({ ...tag, did: FLPT_DEFAULT_DID });
        }
      },
    },
  },
  {
    id: 'vtd-piotlb-no-granularity',
    title: 'the descriptor of an IOTLB invalidation says neither what it is nor of what',
    citation: 'qi_flush_piotlb(), Linux 6.1: QI_EIOTLB_TYPE and QI_GRAN_NONG_PASID; iommu list',
    story: 'The hardware is asked for nothing, and says that it is done.',
    expected: STAYS,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *qi_flush_piotlb({ did, pasid }: EntryTag): Task {
          const lanes = encode(PASID_IOTLB_INVALIDATE, { DID: did, PASID: pasid });
          yield* this.qi_submit_sync(`IOTLB invalidation(DID ${did}, PASID ${pasid})`, lanes);
        }
      },
    },
  },
  {
    id: 'vtd-devtlb-without-pasid',
    title: 'the device-TLB is flushed by a descriptor without PASID',
    citation: 'devtlb_invalidation_with_pasid(), Linux 6.1; VT-d §6.5.2.5, §6.5.2.6',
    story: 'That covers translations of requests without PASID only.',
    expected: STAYS,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override *devtlb_invalidation_with_pasid({ device }: EntryTag): Task {
          const fields = { Type: DESCRIPTOR_TYPE.DEVICE_TLB, SID: this.port.sourceId(device), S: 1 };
          yield* this.qi_submit_sync(`device-TLB invalidation(dev${device})`, encode(DEVICE_TLB_INVALIDATE, fields));
        }
      },
    },
  },
  {
    id: 'vtd-pasid-entry-torn',
    title: 'the whole entry is cleared at once',
    citation: PRESENT,
    story: 'A fetch that has seen P reads the other words when they have been cleared: a walk begins at address 0.',
    expected: TORN,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        override *intel_pasid_tear_down_entry(device: number, pasid: number): Task {
          const tag = yield* step('did, pgtt', () => this.tagOf(device, pasid));
          yield* this.intel_pasid_clear_entry(device, pasid);
          yield* this.flush(this.entryTag(device, pasid, tag));
        }
      },
    },
  },
  {
    id: 'vtd-pasid-entry-present-first',
    title: 'an entry is written with P from its first word on',
    citation: 'pasid_set_present(), Linux 6.1: last, after a dma_wmb()',
    story: 'The entry is fetched while its other words are still those of no entry.',
    expected: TORN,
    unbound: true,
    table: 'vtd',
    parts: {
      intelPasid: class extends IntelPasid {
        protected override writeFields(
          device: number,
          pasid: number,
          fields: FieldValues<typeof PASID_ENTRY>,
        ): Step<undefined> {
          return step(`PASID entry(dev${device}, ${pasid}) := DID ${fields.DID}, tables, P`, () => {
            this.writeWords(device, pasid, encode(PASID_ENTRY, { ...fields, P: 1 }));
            return undefined;
          });
        }
      },
    },
  },
];
