/**
 * The EL2 StreamWorlds (IHI 0070 §3.3.4, §3.17) have no VMID: numbers beyond every VMID stand for them where tags and
 * commands have one. EL2 has no ASIDs either, EL2-E2H has.
 */
export const EL2 = 0x1_0000;
export const EL2_E2H = 0x1_0001;
/** Of a command: both of them. */
export const ANY_EL2 = 0x1_0002;

/** Whether the number that stands where VMIDs do is one of EL2. */
export function isEl2(vmid: number): boolean {
  return vmid >= EL2;
}

/** The address space in words, with a comma: nothing for VMID 0. */
export function spaceName(vmid: number): string {
  if (vmid === 0) return '';
  if (!isEl2(vmid)) return `VMID ${vmid}, `;
  return vmid === EL2 ? 'EL2, ' : 'EL2-E2H, ';
}
