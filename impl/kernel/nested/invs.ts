import type { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step } from '../../../engine/step.ts';

/** What an entry of an invalidation set stands for, in the order in which a set is sorted (`enum arm_smmu_inv_type`). */
export const INV_TYPE = { S1_ASID: 1, S2_VMID: 2, S2_VMID_S1_CLEAR: 3, ATS: 4, ATS_FULL: 5 } as const;

/** One of `INV_TYPE`. */
export type InvType = (typeof INV_TYPE)[keyof typeof INV_TYPE];

/** An entry of an invalidation set (`struct arm_smmu_inv`): one thing that must hear of changes of a domain. */
export interface Inv {
  readonly type: InvType;
  /** ASID, VMID or StreamID. */
  readonly id: number;
  /** SubstreamID of an `ATS` entry, else 0. */
  readonly ssid: number;
}

/** An entry with the number of attachments that want it. */
export interface CountedInv extends Inv {
  readonly users: number;
}

/** An invalidation set: sorted, each entry once. Immutable, as a set is to readers that hold no lock. */
export type Invs = readonly CountedInv[];

/** True for what drops entries of a device's own cache. */
export function isAts({ type }: Inv): boolean {
  return type === INV_TYPE.ATS || type === INV_TYPE.ATS_FULL;
}

/** True if two entries are the same, users apart. */
export function sameInv(left: Inv, right: Inv): boolean {
  return left.type === right.type && left.id === right.id && left.ssid === right.ssid;
}

/** `arm_smmu_invs_merge()`: the set with one user more of each entry. */
export function mergeInvs(set: Invs, added: readonly Inv[]): Invs {
  const merged = [...set];
  for (const inv of added) {
    const at = merged.findIndex((each) => sameInv(each, inv));
    const users = 1 + (merged[at]?.users ?? 0);
    merged.splice(at < 0 ? merged.length : at, at < 0 ? 0 : 1, { ...inv, users });
  }
  return merged.sort((a, b) => a.type - b.type || a.id - b.id || a.ssid - b.ssid);
}

/** `arm_smmu_invs_unref()`: the set with one user less of each entry, and the entries that nobody uses any more. */
export function unrefInvs(
  set: Invs,
  removed: readonly Inv[],
): { readonly left: Invs; readonly unused: readonly Inv[] } {
  const left: CountedInv[] = [];
  const unused: Inv[] = [];
  for (const entry of set) {
    const users = entry.users - removed.filter((each) => sameInv(each, entry)).length;
    if (users > 0) left.push({ ...entry, users });
    else unused.push(entry);
  }
  return { left, unused };
}

const NAMES: Readonly<Record<InvType, string>> = {
  [INV_TYPE.S1_ASID]: 'S1_ASID',
  [INV_TYPE.S2_VMID]: 'S2_VMID',
  [INV_TYPE.S2_VMID_S1_CLEAR]: 'S2_VMID_S1_CLEAR',
  [INV_TYPE.ATS]: 'ATS',
  [INV_TYPE.ATS_FULL]: 'ATS_FULL',
};

/** An invalidation set as a report shows it: "{S2_VMID(1), ATS_FULL(0x10)}". */
export function formatInvs(set: Invs): string {
  const one = ({ type, id, users }: CountedInv): string =>
    `${NAMES[type]}(${type >= INV_TYPE.ATS ? `0x${id.toString(16)}` : id})${users > 1 ? `×${users}` : ''}`;
  return `{${set.map(one).join(', ')}}`;
}

/**
 * Numbers for invalidation sets, so that a set is published by one store of one cell, as by `rcu_assign_pointer`. The
 * numbers are given as sets come up; fingerprints are made from what they stand for.
 */
export class InvsTable {
  readonly #machine: Machine;
  readonly #sets: Invs[] = [[]];
  /** For each set, all that is in it, in words. */
  readonly #keys: string[] = [''];
  readonly #numbers = new Map<string, number>([['', 0]]);

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** A cell that holds numbers of sets; 0 is the empty one. */
  means(cell: number): void {
    this.#machine.store.mean(cell, 1, (number) => this.#keys[number] as string);
  }

  /** The set of a number. */
  at(number: number): Invs {
    return this.#sets[number] ?? [];
  }

  /**
   * The step that reads a cell with the number of a set. A task gets the set in words for `named`, since what it has received
   * is a part of a state's fingerprint too.
   */
  load(cell: Cell): Step<string> {
    return step(
      `load ${cell.name}`,
      () => this.#keys[cell.value] as string,
      (key) => formatInvs(this.named(key)),
    );
  }

  /** The set that `load` has read. */
  named(key: string): Invs {
    return this.at(this.#numbers.get(key) as number);
  }

  /** The number of a set. */
  numberOf(set: Invs): number {
    const key = keyOf(set);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#sets.length;
      this.#sets.push(set);
      this.#keys.push(key);
      this.#numbers.set(key, number);
    }
    return number;
  }
}

function keyOf(set: Invs): string {
  return set.map(({ type, id, ssid, users }) => `${type}/${id}/${ssid}/${users}`).join(' ');
}
