import { BlockingSva, OwnAsidSva, RefusingSva, type KernelParts } from '../../impl/kernel/index.ts';

/**
 * What becomes of a running domain whose ASID a process wants to share, field `reassign` of a configuration. See
 * docs/findings/asid-reassign.md.
 */
export const REASSIGN = {
  /** It moves while its devices run, and has both numbers meanwhile. */
  both: {},
  /** It moves while its devices are refused. */
  blocked: { sva: BlockingSva },
  /** It stays; the process takes another number. */
  own: { sva: OwnAsidSva },
  /** It stays; the process is not shared. */
  refuse: { sva: RefusingSva },
} as const satisfies Record<string, Partial<KernelParts>>;

/** One of `REASSIGN`. */
export type Reassign = keyof typeof REASSIGN;

/** The parts of the kernel that a way to reassign replaces. @throws RangeError for an unknown one, naming those there are. */
export function reassignParts(name = 'both'): Partial<KernelParts> {
  const parts = (REASSIGN as Readonly<Record<string, Partial<KernelParts>>>)[name];
  if (parts !== undefined) return parts;
  throw new RangeError(
    `configuration of family asid: there is no way to reassign "${name}"; there are ${Object.keys(REASSIGN).join(', ')}`,
  );
}
