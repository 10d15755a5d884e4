import type { ContractEvent, SpaceId } from './events.ts';
import type { Verdict } from './violation.ts';
import { related, type ContractWorld } from './world.ts';

/** What TLB maintenance does to an entry that is held, seen from the space that the entry belongs to. */
export const LOSSES = [
  /** Its own maintenance takes away what memory does not say any more: the reason why it was made. */
  'needed',
  /** Its own maintenance takes away what memory still says, and what will be walked again. */
  'own',
  /** The maintenance of another space of the same virtual machine: of the guest's stage 1, or of KVM's stage 2. */
  'machine',
  /** The maintenance of a space that it has nothing to do with. */
  'unrelated',
  /** The same, of a private space of stage 1, which opts out of broadcasts by ASID with ASET = 1. */
  'private',
  /** Maintenance that is meant for everything. */
  'broad',
  /** It was stale, or nobody's: a loss to nobody, whoever made the maintenance. */
  'dead',
] as const;

/** One of `LOSSES`. */
export type Loss = (typeof LOSSES)[number];

/** A leaf entry that TLB maintenance covers, as an architecture tells of it. */
export interface CoveredEntry {
  /** VMID, 0 for the host's stage 1. */
  readonly vmid: number;
  /** ASID; -1 for an entry of stage 2, and for a global one. */
  readonly asid: number;
  readonly stage: 1 | 2 | 'combined';
  /** Memory would bring it back now. */
  readonly valid: boolean;
  /** The architecture requires that it goes; else it may stay. */
  readonly required: boolean;
}

/** Who made the maintenance: a CPU by a broadcast, or the driver by a command. */
export type MaintenanceKind = 'broadcast' | 'command';

/** What the monitor asks of its world. */
export interface InvalidationUse {
  /** The space in whose name the SMMU made an entry; undefined: nobody owns its tag any more. */
  ownerOf(entry: CoveredEntry): SpaceId | undefined;
  /** Spaces of stage 1 that no CPU uses (domains), which need no broadcast. */
  isPrivate(space: SpaceId): boolean;
  /** Number of leaf entries that are held now. Asked before each broadcast; without it no share is computed. */
  held?(): number;
}

/** What was counted since the last `reset`, by maintenance of one kind. */
export interface InvalidationCounts {
  /** Executions of TLB maintenance: TLBIs of CPUs, or lists of commands. */
  readonly operations: number;
  /** Entries that had to go, by what they were to their owners. */
  readonly lost: Readonly<Record<Loss, number>>;
  /** The same of entries that need not have gone, but may have. */
  readonly mayBeLost: Readonly<Record<Loss, number>>;
  /** Entries held, summed over executions: what `lost` is a share of. */
  readonly held: number;
}

/**
 * Precision of invalidations: TLB maintenance for one space costs others nothing, beyond what is accepted. Whatever is
 * taken away too much is safe, so it is counted and charged to its cause and to its victim, and only forbidden where
 * software promises that it does not happen:
 *
 * - `over-invalidation`: an entry that its owner still needs had to go for a space that it has nothing to do with, in a
 *   world whose `budget` does not allow for that. A private stage 1 opts out of broadcasts (ASET = 1, IHI 0070 §3.17); stage 2
 *   cannot, so its VMID must not be one that CPUs use for another machine (hazard btm-over-invalidation-s2).
 *
 * Explicit maintenance of everything and the size of caches take away what they want. The counts are no part of the
 * state: nothing depends on them, and a search counts each transition that it makes.
 */
export class InvalidationMonitor {
  readonly #world: ContractWorld;
  readonly #use: InvalidationUse;
  readonly #forbidden: ReadonlySet<Loss>;
  readonly #counts = { broadcast: noInvalidations(), command: noInvalidations() };
  /** On whose behalf the maintenance of this step is; undefined: nobody said. */
  #behalf: SpaceId | 'all' | undefined;
  #leftOut = 0;

  /** @param forbidden losses that the design under check promises not to cause: a budget of zero. */
  constructor(world: ContractWorld, use: InvalidationUse, forbidden: readonly Loss[] = []) {
    this.#world = world;
    this.#use = use;
    this.#forbidden = new Set(forbidden);
  }

  /** Folds an event in; events of other monitors are ignored. */
  on(event: ContractEvent): void {
    if (event.type === 'tlbi') {
      this.#behalf = event.space;
      const counts = this.#counts[event.by];
      counts.operations++;
      counts.held += this.#use.held?.() ?? 0;
    } else if (event.type === 'tlbi.left-out') this.#leftOut += event.commands;
  }

  /**
   * An entry is covered by maintenance that is executed now. A command for which nobody has said anything is for whom the
   * entry belongs to, since commands name tags.
   */
  covered(entry: CoveredEntry, by: MaintenanceKind): Verdict {
    const owner = this.#use.ownerOf(entry);
    const loss = this.#lossOf(entry, owner, this.#behalf ?? (by === 'command' ? owner : undefined));
    const counts = this.#counts[by];
    if (!entry.required) {
      counts.mayBeLost[loss]++;
      return undefined;
    }
    counts.lost[loss]++;
    if (!this.#forbidden.has(loss) || owner === undefined) return undefined;
    return broken(entry, by, owner, this.#behalf ?? 'all');
  }

  /** The step is over: what comes next says anew on whose behalf it is. */
  settle(): void {
    this.#behalf = undefined;
  }

  /** What was counted since the last `reset`. */
  counts(by: MaintenanceKind): InvalidationCounts {
    const { operations, held, lost, mayBeLost } = this.#counts[by];
    return { operations, held, lost: { ...lost }, mayBeLost: { ...mayBeLost } };
  }

  /** Commands that software left out, since a broadcast did what they would have done. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Counting starts anew: the set-up of a world does not count. */
  reset(): void {
    this.#leftOut = 0;
    for (const kind of ['broadcast', 'command'] as const) this.#counts[kind] = noInvalidations();
  }

  #lossOf({ valid, stage }: CoveredEntry, owner: SpaceId | undefined, cause: SpaceId | 'all' | undefined): Loss {
    if (owner === undefined) return 'dead';
    if (owner === cause) return valid ? 'own' : 'needed';
    if (!valid) return 'dead';
    if (cause === 'all' || cause === undefined) return 'broad';
    if (related(this.#world, owner, cause)) return 'machine';
    return stage === 1 && this.#use.isPrivate(owner) ? 'private' : 'unrelated';
  }
}

/** Counts that have not begun. */
export function noInvalidations(): {
  operations: number;
  held: number;
  lost: Record<Loss, number>;
  mayBeLost: Record<Loss, number>;
} {
  const none = (): Record<Loss, number> => ({
    needed: 0,
    own: 0,
    machine: 0,
    unrelated: 0,
    private: 0,
    broad: 0,
    dead: 0,
  });
  return { operations: 0, held: 0, lost: none(), mayBeLost: none() };
}

function broken(
  { vmid, asid, stage }: CoveredEntry,
  by: MaintenanceKind,
  owner: SpaceId,
  cause: SpaceId | 'all',
): Verdict {
  const entry = stage === 1 ? `entry of ASID ${asid}` : `entry of VMID ${vmid}`;
  const what = by === 'broadcast' ? 'a broadcast TLBI' : 'an invalidation command';
  const message = `An ${entry}, which space ${owner} needs, is invalidated by ${what} for space ${cause}.`;
  const data = { promise: 'tlbi', space: owner, cause, vmid, asid, by };
  return { monitor: 'invalidation', rule: 'over-invalidation', message, data };
}
