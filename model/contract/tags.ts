import type { Store } from '../../engine/store.ts';
import type { ContractEvent, TagEvent } from './events.ts';
import type { Verdict } from './violation.ts';
import { checkSpace, type ContractWorld } from './world.ts';

/** Number of tags of a world that does not say. */
export const TAGS_DEFAULT = 64;

/** What the monitor asks of the architecture. */
export interface TagUse {
  /** Which configuration or cached entry may use the ASID now, in words ("CD of stream 1"), or undefined if none. */
  asidInUse(asid: number): { readonly text: string } | undefined;
  /** The same for a VMID: of stage 2 entries, and of stage 1 entries of a guest. A world without VMIDs needs none. */
  vmidInUse?(vmid: number): { readonly text: string } | undefined;
}

/**
 * Who owns each tag (ASID, VMID). A space may own several at once while it moves from one to another.
 *
 * - `tag-not-unique`: a tag has one owner at a time, over all allocators that feed one cache: entries of two spaces
 *   under one tag would answer for each other (kernel: `arm_smmu_share_asid`; arm64: `check_update_reserved_asid`).
 * - `tag-not-owned`: only its owner releases a tag.
 * - `tag-free-while-owned`, `tag-free-in-use`: a tag goes back to its allocator when its owner has released it,
 *   no configuration that may be in use names it and no cached entry carries it: the next owner would inherit them
 *   (kernel: `arm_smmu_sva_domain_free`, `arm_smmu_install_old_domain_invs`; IHI 0070 §3.17).
 */
export class TagMonitor {
  readonly #store: Store;
  readonly #world: ContractWorld;
  readonly #use: TagUse;
  /** For each tag, its owner + 1, or 0. */
  readonly #owners: number;
  /** The same for VMIDs. */
  readonly #vmidOwners: number;
  readonly #tags: number;
  readonly #vmids: number;

  constructor(store: Store, world: ContractWorld, use: TagUse) {
    this.#store = store;
    this.#world = world;
    this.#use = use;
    this.#tags = world.tags ?? TAGS_DEFAULT;
    this.#vmids = world.vmids ?? 0;
    this.#owners = store.reserve(this.#tags, 'contract.tags');
    this.#vmidOwners = store.reserve(this.#vmids, 'contract.vmids');
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

  #assign(event: TagEvent, space: number): Verdict {
    checkSpace(this.#world, space);
    const owner = this.#owner(event);
    if (owner >= 0 && owner !== space)
      return broken(event, 'tag-not-unique', `is assigned to space ${space} while space ${owner} owns it`, {
        space,
        owner,
      });
    this.#store.set(this.#ownerCell(event), space + 1);
    return undefined;
  }

  #release(event: TagEvent, space: number): Verdict {
    checkSpace(this.#world, space);
    if (this.#owner(event) !== space)
      return broken(event, 'tag-not-owned', `is released by space ${space}, which does not own it`, { space });
    this.#store.set(this.#ownerCell(event), 0);
    return undefined;
  }

  #free(event: TagEvent): Verdict {
    const owner = this.#owner(event);
    if (owner >= 0) return broken(event, 'tag-free-while-owned', `is freed while space ${owner} owns it`, { owner });
    const use = (event.kind === 'asid' ? this.#use.asidInUse(event.tag) : this.#use.vmidInUse?.(event.tag))?.text;
    if (use !== undefined)
      return broken(event, 'tag-free-in-use', `is freed while it may still be used: ${use}`, { use });
    return undefined;
  }

  /** The space that owns the event's tag, or -1. */
  #owner(event: TagEvent): number {
    return this.#store.get(this.#ownerCell(event)) - 1;
  }

  #ownerCell({ kind, tag }: TagEvent): number {
    const tags = kind === 'asid' ? this.#tags : this.#vmids;
    if (!Number.isInteger(tag) || tag < 0 || tag >= tags)
      throw new Error(`tag ${tag} is not of this world, which has ${tags}`);
    return (kind === 'asid' ? this.#owners : this.#vmidOwners) + tag;
  }
}

function broken(
  { type, kind, tag }: TagEvent,
  rule: string,
  clause: string,
  facts: Record<string, string | number>,
): Verdict {
  const message = `${kind.toUpperCase()} ${tag} ${clause}.`;
  return { monitor: 'tags', rule, message, data: { tag, promise: type, ...facts } };
}
