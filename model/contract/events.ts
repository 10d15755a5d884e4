/**
 * The vocabulary in which implementations tell what they promise. Software emits an event inside the atomic step that
 * makes it true: the promise of `unmap` is given by the step that returns, not by the one that clears the entry.
 *
 * A *space* is what a device can be attached to: a domain's page table or a process (mm). Spaces, streams and physical
 * addresses are small integers and byte addresses chosen by the world; the monitors know nothing else of them.
 */
export type ContractEvent = MapEvent | UnmapEvent | FlushEvent | AttachEvent | TableEvent | TagEvent | MaintenanceEvent;

/** Index of an address space within its world. */
export type SpaceId = number;

/** What a mapping lets a device do: bit 0 read, bit 1 write. */
export type Permissions = number;

/** READ | WRITE make up `Permissions`. */
export const READ = 1;
export const WRITE = 2;

/** A mapping may be seen from `map.begin`; from `map.end` on, nothing else may be. `size` in bytes, from `iova`. */
export type MapEvent =
  | {
      readonly type: 'map.begin';
      readonly space: SpaceId;
      readonly iova: number;
      readonly size: number;
      readonly pa: number;
      readonly permissions: Permissions;
    }
  | { readonly type: 'map.end'; readonly space: SpaceId; readonly iova: number; readonly size: number }
  | MapFailEvent;

/** Ends a `map.begin` that came to nothing (no memory, address taken): the mapping may not be seen any more. */
export interface MapFailEvent {
  readonly type: 'map.fail';
  readonly space: SpaceId;
  readonly iova: number;
  readonly size: number;
  readonly pa: number;
  readonly permissions: Permissions;
}

/**
 * A mapping may be missing from `unmap.begin`; from `unmap.end` on it may not be seen. With `lazy` (flush queue) it
 * may be seen until the end of a flush that began after the unmap, or until the next `map.end` of the address.
 */
export type UnmapEvent =
  | { readonly type: 'unmap.begin'; readonly space: SpaceId; readonly iova: number; readonly size: number }
  | {
      readonly type: 'unmap.end';
      readonly space: SpaceId;
      readonly iova: number;
      readonly size: number;
      readonly lazy: boolean;
    };

/** A flush of everything that was lazily unmapped in a space before `flush.begin`. */
export type FlushEvent =
  { readonly type: 'flush.begin'; readonly space: SpaceId } | { readonly type: 'flush.end'; readonly space: SpaceId };

/**
 * A (stream, substream) changes what it translates by. Between begin and end the old and the new are permitted, and
 * refusal (an abort or a fault) too unless the change is declared `hitless`.
 */
export type AttachEvent =
  | {
      readonly type: 'attach.begin';
      readonly stream: number;
      readonly substream: number;
      readonly to: AttachTarget;
      readonly hitless: boolean;
    }
  | { readonly type: 'attach.end'; readonly stream: number; readonly substream: number }
  | AttachFailEvent;

/** Ends an `attach.begin` that was taken back: `to` may not be seen any more, what was there before may. */
export interface AttachFailEvent {
  readonly type: 'attach.fail';
  readonly stream: number;
  readonly substream: number;
  readonly to: AttachTarget;
}

/** A space, or nothing (`blocked`: every access is refused), or untranslated access (`bypass`). */
export type AttachTarget = SpaceId | 'blocked' | 'bypass';

/** A page of memory starts or stops to be a page table. `table.free` promises that no walk can reach it any more. */
export type TableEvent =
  | { readonly type: 'table.alloc'; readonly pa: number; readonly size: number }
  | { readonly type: 'table.free'; readonly pa: number; readonly size: number };

/**
 * Ownership of an ASID or VMID. `tag.assign` says that a space is from now on invalidated and configured by this tag (it may
 * hold an old one beside it until `tag.release`); `tag.free` gives the number back to its allocator: nothing live or
 * cached may use it. `shared`: CPU and SMMU use one number on purpose for the same space.
 *
 * `cache`: where entries of the space under this tag are made, an index into the world's `caches` (default 0); for
 * `tag.free`, one of the caches that the allocator feeds. A tag that a space uses in two caches is assigned, released and
 * freed in each.
 */
export type TagEvent =
  | {
      readonly type: 'tag.assign' | 'tag.release';
      readonly kind: TagKind;
      readonly tag: number;
      readonly space: SpaceId;
      readonly cache?: number;
    }
  | { readonly type: 'tag.free'; readonly kind: TagKind; readonly tag: number; readonly cache?: number };

/**
 * TLB maintenance, told in the step that executes it and before it does: on whose behalf the TLBI instruction or the
 * commands of this step are. `all`: it is meant for everything (a roll-over, a reset), so nobody is wronged by it.
 * `tlbi.left-out`: commands that an SMMU without broadcasts would have needed here.
 */
export type MaintenanceEvent =
  | {
      readonly type: 'tlbi';
      /** A broadcast TLBI of a CPU (`…IS`), or commands of an SMMU's queue. */
      readonly by: 'broadcast' | 'command';
      readonly space: SpaceId | 'all';
    }
  | { readonly type: 'tlbi.left-out'; readonly space: SpaceId; readonly commands: number };

/** ASIDs tag spaces of stage 1, VMIDs those of stage 2; their numbers have nothing to do with each other. */
export type TagKind = 'asid' | 'vmid';

/** Where an implementation sends its events. */
export interface EventSink {
  emit(event: ContractEvent): void;
}

/**
 * Page requests (PRI), told in the step that makes it true. `id` numbers the requests of a run from 1; neither hardware nor
 * software knows it.
 *
 * `pri.attach.begin` and `.end` bracket what makes a PASID of a device lead to a space, `pri.detach.begin` and `.end` what
 * ends that: when detach has returned, nothing is left of the requests made through it.
 */
export type PageRequestEvent =
  | {
      readonly type: 'pri.attach.begin' | 'pri.attach.end' | 'pri.detach.begin' | 'pri.detach.end';
      readonly device: number;
      readonly pasid: number;
      readonly space: SpaceId;
    }
  /**
   * A PASID goes from one space to another while the function runs: from `begin` to `end` its requests, through the old
   * entry or through the new one, may be told to try again, or be refused. At `end` nothing is left of the old space's.
   */
  | {
      readonly type: 'pri.replace.begin' | 'pri.replace.end';
      readonly device: number;
      readonly pasid: number;
      readonly from: SpaceId;
      readonly to: SpaceId;
    }
  /** A function sends a request. `space`: what the PASID led to when it was made, -1 for nothing. */
  | {
      readonly type: 'pri.request';
      readonly id: number;
      readonly device: number;
      readonly pasid: number;
      readonly group: number;
      readonly last: boolean;
      readonly space: number;
    }
  /** Hardware has answered or dropped a request itself: the queue has overflowed. */
  | { readonly type: 'pri.overflowed'; readonly id: number }
  /** Software looks after a request in a space: a page is made present there, or found not to exist. */
  | { readonly type: 'pri.handle'; readonly id: number; readonly space: SpaceId }
  /** A process has exited: nobody uses its address space any more. */
  | { readonly type: 'pri.exit'; readonly space: SpaceId }
  /** The page tables of a process are freed. */
  | { readonly type: 'pri.tables-freed'; readonly space: SpaceId }
  /** Whoever looks after requests in user space has gone: they may be refused from now on. */
  | { readonly type: 'pri.closed' }
  /** A function uses a PASID of which there is no entry, and that is told as an error (VT-d; SMMU: C_BAD_CD). */
  | { readonly type: 'pri.unconfigured'; readonly device: number; readonly pasid: number }
  /** Software has no memory for a request: it is lost, or refused if it is the last. */
  | { readonly type: 'pri.no-memory'; readonly id: number }
  /** Software answers a group. Success: the function may try again; Invalid: it gives up; Failure: for good. */
  | {
      readonly type: 'pri.respond';
      readonly device: number;
      readonly pasid: number;
      readonly group: number;
      readonly response: 'Success' | 'Invalid' | 'Failure';
    };

/** The life of PASID numbers, told in the step that makes it true. Owners are those who allocate. */
export type PasidEvent =
  /** A number has an owner from now on; another one may have it when it has been reclaimed. */
  | { readonly type: 'pasid.alloc'; readonly pasid: number; readonly owner: number }
  | { readonly type: 'pasid.reclaim'; readonly pasid: number }
  /** An allocation returns a number to its caller. */
  | { readonly type: 'pasid.returned'; readonly pasid: number; readonly owner: number }
  /** Unbind of a device, which `by` has asked for, returns: it does not reach the space of its owner any more. */
  | {
      readonly type: 'pasid.unbound';
      readonly pasid: number;
      readonly device: number;
      readonly owner: number;
      readonly by: number;
    }
  /** KVM translates the guest's PASID of an owner to a number; 0: it does no more. */
  | { readonly type: 'pasid.translated'; readonly owner: number; readonly pasid: number }
  /** A set has so many numbers, of so many that it may have. */
  | { readonly type: 'pasid.quota'; readonly numbers: number; readonly quota: number }
  /** `by` frees a number, which nobody may have anew from now on; -1: somebody who does not own it. */
  | { readonly type: 'pasid.freed'; readonly pasid: number; readonly by: number }
  /** A set has so many of the numbers, 0 if it has gone, and so many are left. */
  | { readonly type: 'pasid.set'; readonly set: number; readonly quota: number; readonly available: number }
  /** A guest PASID of an owner leads to a number; 0: to none. */
  | { readonly type: 'pasid.spid'; readonly owner: number; readonly spid: number; readonly pasid: number }
  /** A guest PASID of an owner has been looked up. */
  | { readonly type: 'pasid.found'; readonly owner: number; readonly spid: number; readonly pasid: number }
  /** A notice of a number is about to be sent, and a listener of a rank hears it: 0 CPU, 1 IOMMU, 2 device. */
  | { readonly type: 'pasid.notice'; readonly notice: PasidNotice; readonly pasid: number }
  | { readonly type: 'pasid.told'; readonly notice: PasidNotice; readonly pasid: number; readonly rank: number }
  /** KVM of an owner listens from now on, or does no more. */
  | { readonly type: 'pasid.listens'; readonly owner: number; readonly on: boolean }
  /** KVM of an owner knows that it has a number, or has it no more. */
  | { readonly type: 'pasid.heard'; readonly owner: number; readonly pasid: number; readonly on: boolean }
  /** The work queue of a device submits by a number; 0: it is stopped. */
  | { readonly type: 'pasid.queue'; readonly device: number; readonly pasid: number }
  /** A device has gone, or come back. */
  | { readonly type: 'pasid.removed'; readonly device: number; readonly on: boolean }
  /** Numbers are those of a custom allocator from now on, or those of the default one. */
  | { readonly type: 'pasid.allocator'; readonly custom: boolean }
  /** The hypervisor has given a number to the guest, or has it back. */
  | { readonly type: 'pasid.granted'; readonly pasid: number; readonly on: boolean };

/** What listeners hear of a number. */
export type PasidNotice = 'ALLOC' | 'FREE' | 'BIND' | 'UNBIND';
