import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  GuestPasids,
  Ioasid,
  IoasidSets,
  KvmPasids,
  type IoasidData,
  type IoasidSet,
} from '../../../impl/kernel/ioasid/index.ts';
import { rule, safety, SERIES, type IoasidHazard } from './hazard.ts';

/** Mistakes in what is done to sets, and in guest PASIDs. */
export const SET_HAZARDS: readonly IoasidHazard[] = [
  {
    id: 'ioasid-adjust-below-allocated',
    title: 'a quota is made smaller than what the set has',
    citation: `${SERIES}, ioasid_adjust_set(): a quota is at least nr_ioasids`,
    story: 'What the set has above its quota is given to another set as well.',
    expected: [rule('quota-exceeded')],
    parts: {
      ioasidSets: class extends IoasidSets {
        protected override isTooSmall(): boolean {
          return false;
        }
      },
    },
  },
  {
    id: 'ioasid-adjust-loses-capacity',
    title: 'an adjustment leaves what is available as it is',
    citation: `${SERIES}, ioasid_adjust_set(), ioasid_capacity_avail`,
    story: 'Sets are promised more numbers than there are, or numbers are promised to nobody for ever.',
    expected: [rule('capacity-lost')],
    parts: {
      ioasidSets: class extends IoasidSets {
        protected override setQuota(set: IoasidSet, quota: number): void {
          super.setQuota(set, quota, this.kernel.available.value);
        }
      },
    },
  },
  {
    id: 'ioasid-adjust-reads-early',
    title: 'what is available is read before the lock is taken',
    citation: `${SERIES}: ioasid_set_alloc() reads ioasid_capacity_avail outside ioasid_allocator_lock (by reading; never merged)`,
    story: 'Another set comes or goes between, and what it took or gave back is overwritten.',
    expected: [rule('capacity-lost')],
    parts: {
      ioasidSets: class extends IoasidSets {
        override *adjust(token: number, quota: number): Task<boolean> {
          const handle = yield* this.find(token);
          if (handle === 0) return false;
          const set = this.kernel.sets.at(handle);
          const available = yield* this.kernel.available.load();
          const done = yield* this.kernel.ioasid.locked(() => this.#adjustTo(set, quota, available));
          yield* this.put(set);
          return done !== 0;
        }

        *#adjustTo(set: IoasidSet, quota: number, available: number): Task<number> {
          return yield* step(`${set.name}.quota := ${quota}`, () => {
            const more = quota - set.quota.value;
            if (this.isTooSmall(set, quota) || more > available) return 0;
            this.setQuota(set, quota, available - more);
            return 1;
          });
        }
      },
    },
  },
  {
    id: 'ioasid-set-stays-findable',
    title: 'a set that is closed can be found by its token',
    citation: `${SERIES}: ioasid_find_mm_set(), ioasid_sets`,
    story: 'The set goes with its last number; who has the token finds it still.',
    expected: [safety('use-after-free')],
    parts: {
      ioasidSets: class extends IoasidSets {
        override closed(): void {}
      },
    },
  },
  {
    id: 'ioasid-set-found-without-reference',
    title: 'who finds a set by its token has no reference to it',
    citation: `${SERIES}: ioasid_set_get(), ioasid_set_put()`,
    story: 'The file is closed between the look and the use, and the set goes.',
    expected: [safety('use-after-free')],
    parts: {
      ioasidSets: class extends IoasidSets {
        protected override use(): void {}

        protected override unuse(): void {}
      },
    },
  },
  {
    id: 'ioasid-free-of-any-set',
    title: 'a number is freed without a look at its set',
    citation: `ioasid_free(), Linux 6.1, takes a number only; ${SERIES} adds the set`,
    story: 'A set was freed by its token and the number has another owner; the first one frees it once more.',
    expected: [rule('freed-by-another')],
    parts: {
      ioasid: class extends Ioasid {
        protected override belongs(): boolean {
          return true;
        }
      },
    },
  },
  {
    id: 'ioasid-pending-freed-again',
    title: 'a number that is free pending is freed once more',
    citation: `${SERIES}: IOASID_STATE_FREE_PENDING`,
    story: 'A set is freed by its token and the file is closed: the reference of a user is dropped for the owner.',
    expected: [rule('freed-twice'), safety('refcount-underflow')],
    parts: {
      ioasid: class extends Ioasid {
        protected override mayFree(data: IoasidData, set: number): boolean {
          return this.belongs(data, set);
        }
      },
    },
  },
  {
    id: 'ioasid-bind-misses-free',
    title: 'a bind does not look whether its number was freed meanwhile',
    citation: `${SERIES}, "iommu/vt-d: Listen to IOASID notifications" (by reading; never merged)`,
    story:
      'A set is freed by its token while a device is being bound: the FREE is heard before there is a bond, and nobody takes it down.',
    expected: [safety('leak'), rule('notify-order'), rule('translated-unowned')],
    parts: {
      kvm: class extends KvmPasids {
        protected override isGoing(): boolean {
          return false;
        }
      },
    },
  },
  {
    id: 'ioasid-spid-left-after-free',
    title: 'a guest PASID leads to its number when that was freed',
    citation: `${SERIES}: ioasid_attach_spid(), ioasid_detach_spid()`,
    story: 'The guest looks its PASID up and gets a number that was given out again, or is going.',
    expected: [rule('spid-astray')],
    parts: {
      spids: class extends GuestPasids {
        override forget(data: IoasidData): void {
          if (this.kernel.layout.sets !== true) return;
          this.kernel.sets.at(data.set.value).spids.forEach((cell, spid) => {
            if (spid > 0 && cell.value === data.id.value) this.tell(data.owner.value, spid, 0);
          });
        }
      },
    },
  },
  {
    id: 'ioasid-spid-not-looked-up-again',
    title: 'a guest PASID is looked up once, and the reference is taken after',
    citation: `${SERIES}: ioasid_find_by_spid() with a getter`,
    story: 'Between the two the number is freed, and given out again in the same set, for another guest PASID or none.',
    expected: [rule('spid-astray')],
    parts: {
      spids: class extends GuestPasids {
        protected override isStill(): boolean {
          return true;
        }
      },
    },
  },
  {
    id: 'ioasid-spid-overwritten',
    title: 'a guest PASID that is in use is attached to another number',
    citation: `${SERIES}: ioasid_attach_spid() returns -EBUSY`,
    story: 'A machine has moved or was confused; its guest PASID leads to two numbers, one after the other.',
    expected: [rule('spid-two-numbers')],
    parts: {
      spids: class extends GuestPasids {
        protected override isTaken(): boolean {
          return false;
        }
      },
    },
  },
  {
    id: 'ioasid-spid-of-any-set',
    title: 'a guest PASID is looked up in whatever set has it',
    citation: `${SERIES}: ioasid_find_by_spid() takes the set`,
    story: 'Two machines use the same guest PASID, as they may; one gets the number of the other.',
    expected: [rule('spid-astray')],
    parts: {
      spids: class extends GuestPasids {
        override *find(token: number, spid: number): Task<boolean> {
          const id = yield* this.#anySet(spid);
          if (id === 0) return false;
          yield* step(`PASID ${id} of guest PASID ${spid}`, () => {
            this.kernel.emit({ type: 'pasid.found', owner: token, spid, pasid: id });
            return undefined;
          });
          return true;
        }

        #anySet(spid: number): Step<number> {
          return step(`look up spid${spid}`, () => {
            const { sets } = this.kernel;
            const ids = sets.live().map((handle) => this.idOf(sets.at(handle), spid));
            return ids.find((id) => id !== 0) ?? 0;
          });
        }
      },
    },
  },
];
