import type { StreamConfig } from '../configuration/stream-config.ts';
import { isTranslationRelated } from '../fault.ts';
import type { Completion } from '../request.ts';
import { PERMIT } from '../walks/descriptor.ts';

/** A Translation Request, as far as what is granted depends on it (IHI 0070 §13.7.1). */
export interface AtsRequest {
  /** Execute and privileged mode as requested; both are 0 without a PASID. */
  readonly execute: boolean;
  readonly privileged: boolean;
  /** The privilege that permissions are checked for: after STE.PRIVCFG. */
  readonly effectivePrivileged: boolean;
}

/** Bits of what is granted. */
export const GRANT = { READ: 1, WRITE: 2, EXECUTE: 4 } as const;

/** Whether a fault makes a Translation Request end with Success and no permission, not Completer Abort (§3.9.1.2). */
export function isDenial(event: number): boolean {
  return isTranslationRelated(event);
}

/**
 * What a request is granted, by the permissions of the stages that are on (§13.7.1).
 *
 * @param mask which bits of `PERMIT` come from a stage that is on; the others count as given.
 */
export function granted(request: AtsRequest, instcfg: number, permissions: number, mask: number): number {
  const given = permissions | ~mask;
  const has = (bits: number): boolean => (given & bits) === bits;
  const privileged = request.effectivePrivileged;
  const readable = has(PERMIT.S2R | (privileged ? PERMIT.PR : PERMIT.UR));
  const writable = has(PERMIT.S2W | (privileged ? PERMIT.PW : PERMIT.UW));
  const executable = has(privileged ? PERMIT.PX | PERMIT.S2PX : PERMIT.UX | PERMIT.S2UX);
  // With INSTCFG = Instruction reads are executions, with Data executions are reads.
  const read = instcfg === 3 ? executable : readable;
  const execute = instcfg === 3 ? executable : instcfg === 2 ? readable : readable && executable;
  return (read ? GRANT.READ : 0) | (writable ? GRANT.WRITE : 0) | (request.execute && execute ? GRANT.EXECUTE : 0);
}

/** Bits of `PERMIT` that the stages of a configuration give. */
export function maskOf({ stage1, stageTwo }: StreamConfig): number {
  return (stage1 ? PERMIT.STAGE1_ALL : 0) | (stageTwo === undefined ? 0 : PERMIT.STAGE2_ALL);
}

/** Writes a completion for an address within a translation of 2^sizeLog2 bytes. */
export function complete(into: Completion, request: AtsRequest, bits: number, address: number, sizeLog2: number): void {
  const size = 2 ** sizeLog2;
  into.address = Math.floor(address / size) * size;
  into.sizeLog2 = sizeLog2;
  into.read = (bits & GRANT.READ) !== 0;
  into.write = (bits & GRANT.WRITE) !== 0;
  into.execute = (bits & GRANT.EXECUTE) !== 0;
  into.privileged = request.privileged;
}
