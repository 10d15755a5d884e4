import type { Store } from '../../engine/store.ts';
import type { ContractEvent, TagEvent, TagKind } from './events.ts';
import type { Verdict } from './violation.ts';
import { checkSpace, related, type ContractWorld } from './world.ts';

/** Number of tags of a world that does not say. */
export const TAGS_DEFAULT = 64;
/** Owners of a tag are a set in one cell. */
const SPACES_MAX = 31;

/** What the monitor asks of the architecture. */
export interface TagUse {
  /** Which configuration or cached entry may use the ASID now, in words ("CD of stream 1"), or undefined if none. */
  asidInUse(asid: number): { readonly text: string } | undefined;
  /** The same for a VMID: of stage 2 entries, and of stage 1 entries of a guest. A world without VMIDs needs none. */
  vmidInUse?(vmid: number): { readonly text: string } | undefined;
  /** In a world that names its caches: the same of each, in place of all. */
  readonly caches?: readonly Omit<TagUse, 'caches'>[];
}

/**
 * Who owns each tag (ASID, VMID), in each cache whose entries carry it. A space may own several at once while it moves
 * from one to another. Allocators feed caches: the ASIDs of arm64 the TLBs of CPUs, and of an SMMU where processes are
 * shared with devices; the VMIDs of KVM the TLBs, and pinned ones the SMMU's, beside the SMMU driver's own.
 *
 * - `tag-not-unique`: in a cache, a tag stands for one space, or for spaces of one virtual machine (which share a VMID on
 *   purpose), whichever allocator it comes from: entries of two spaces under one tag would answer for each other (kernel:
 *   `arm_smmu_share_asid`; arm64: `check_update_reserved_asid`; hazard pinned-vmid-alias-private).
 * - `tag-not-disjoint`: where allocators promise to keep apart, no tag stands for two unrelated spaces in two caches
 *   either: broadcasts for one of them would reach the other (the world says where; hazard btm-over-invalidation-s2).
 * - `tag-not-owned`: only its owner releases a tag.
 * - `tag-free-while-owned`, `tag-free-in-use`: a tag goes back to its allocator when its owner has released it,
 *   no configuration that may be in use names it and no cached entry carries it: the next owner would inherit them
 *   (kernel: `arm_smmu_sva_domain_free`, `arm_smmu_install_old_domain_invs`; IHI 0070 §3.17).
 */
export class TagMonitor {
  readonly #store: Store;
  readonly #world: ContractWorld;
  readonly #use: TagUse;
  readonly #caches: number;
  /** For each tag of each cache, the set of its owners. */
  readonly #owners: Readonly<Record<TagKind, number>>;
  readonly #tags: Readonly<Record<TagKind, number>>;

  constructor(store: Store, world: ContractWorld, use: TagUse) {
    if (world.spaces > SPACES_MAX) throw new RangeError(`tags are watched for at most ${SPACES_MAX} spaces`);
    this.#store = store;
    this.#world = world;
    this.#use = use;
    this.#caches = world.caches?.length ?? 1;
    const tags = { asid: world.tags ?? TAGS_DEFAULT, vmid: world.vmids ?? 0 };
    this.#tags = tags;
    const reserve = (count: number, name: string): number => store.reserve(count * this.#caches, name);
    this.#owners = { asid: reserve(tags.asid, 'contract.tags'), vmid: reserve(tags.vmid, 'contract.vmids') };
  }

  /** Folds an event in; events of other monitors are ignored. */
  on(event: ContractEvent): Verdict {
    switch (event.type) {
      case 'tag.assign':
        return this.#assign(event, event.space);
      case 'tag.release':
        return this.#release(event, event.space);
      case 'tag.free':
        return this.#free(event);
      default:
        return undefined;
    }
  }

  /** The spaces that own a tag in a cache, ascending. */
  owners(kind: TagKind, tag: number, cache = 0): number[] {
    const set = this.#store.get(this.#cell({ kind, tag, cache }));
    return Array.from({ length: this.#world.spaces }, (_, space) => space).filter((space) => (set & bit(space)) !== 0);
  }

  #assign(event: TagEvent, space: number): Verdict {
    checkSpace(this.#world, space);
    const cell = this.#cell(event);
    const owners = this.#store.get(cell);
    const owner = this.#stranger(owners, space);
    if (owner >= 0)
      return this.#broken(event, 'tag-not-unique', `is assigned to space ${space} while space ${owner} owns it`, {
        space,
        owner,
      });
    this.#store.set(cell, owners | bit(space));
    return this.#world.disjoint?.includes(event.kind) === true ? this.#isDisjoint(event, space) : undefined;
  }

  #isDisjoint(event: TagEvent, space: number): Verdict {
    for (let cache = 0; cache < this.#caches; cache++) {
      const owner = this.#stranger(this.#store.get(this.#cell({ ...event, cache })), space);
      if (owner < 0) continue;
      const where = this.#world.caches?.[cache] ?? '';
      const clause = `is assigned to space ${space} while space ${owner} owns it in the ${where}`;
      return this.#broken(event, 'tag-not-disjoint', clause, { space, owner });
    }
    return undefined;
  }

  #release(event: TagEvent, space: number): Verdict {
    const cell = this.#cell(event);
    const owners = this.#store.get(cell);
    checkSpace(this.#world, space);
    if ((owners & bit(space)) === 0)
      return this.#broken(event, 'tag-not-owned', `is released by space ${space}, which does not own it`, { space });
    this.#store.set(cell, owners & ~bit(space));
    return undefined;
  }

  #free(event: TagEvent): Verdict {
    const owner = this.#stranger(this.#store.get(this.#cell(event)), -1);
    if (owner >= 0)
      return this.#broken(event, 'tag-free-while-owned', `is freed while space ${owner} owns it`, { owner });
    const { kind, tag, cache = 0 } = event;
    const place = this.#use.caches?.[cache] ?? this.#use;
    const use = (kind === 'asid' ? place.asidInUse(tag) : place.vmidInUse?.(tag))?.text;
    if (use !== undefined)
      return this.#broken(event, 'tag-free-in-use', `is freed while it may still be used: ${use}`, { use });
    return undefined;
  }

  /** The lowest of a set of owners that has nothing to do with a space, or -1. */
  #stranger(owners: number, space: number): number {
    if (owners === 0) return -1;
    for (let owner = 0; owner < this.#world.spaces; owner++)
      if ((owners & bit(owner)) !== 0 && !related(this.#world, owner, space)) return owner;
    return -1;
  }

  #cell({ kind, tag, cache = 0 }: TagPlace): number {
    const tags = this.#tags[kind];
    if (!Number.isInteger(tag) || tag < 0 || tag >= tags)
      throw new Error(`tag ${tag} is not of this world, which has ${tags}`);
    if (!Number.isInteger(cache) || cache < 0 || cache >= this.#caches)
      throw new Error(`cache ${cache} is not of this world, which has ${this.#caches}`);
    return this.#owners[kind] + cache * tags + tag;
  }

  #broken(event: TagEvent, rule: string, clause: string, facts: Record<string, string | number>): Verdict {
    const { type, kind, tag, cache } = event;
    const where = cache === undefined ? '' : ` of the ${this.#world.caches?.[cache] ?? cache}`;
    const message = `${kind.toUpperCase()} ${tag}${where} ${clause}.`;
    return { monitor: 'tags', rule, message, data: { tag, promise: type, ...facts } };
  }
}

/** Where a tag is used. */
interface TagPlace {
  readonly kind: TagKind;
  readonly tag: number;
  readonly cache?: number;
}

function bit(space: number): number {
  return 1 << space;
}
