export { ALLOCATORS, IoasidAllocators } from './allocators.ts';
export { NotifierChains } from './chains.ts';
export { CyclicIoasid, DESIGNS, FREE_DESIGNS, freesAnywhere, type FreeDesign } from './designs.ts';
export { IntelPasid, type EntryTag } from './intel-pasid.ts';
export { DeviceDrivers } from './drivers.ts';
export { Hotplug } from './hotplug.ts';
export { Ioasid } from './ioasid.ts';
export {
  IoasidKernel,
  type IoasidBase,
  type IoasidLayout,
  type IoasidNote,
  type IoasidParts,
  type NumberPolicy,
} from './kernel.ts';
export { KvmPasids } from './kvm.ts';
export { SPIDS, type IntelSvmObject, type IoasidData, type IoasidListener, type IoasidSet } from './objects.ts';
export type { CdPort, PasidPort, VtdDomain, VtdPort } from './port.ts';
export { IoasidSets } from './sets.ts';
export { SmmuCds } from './smmu-cd.ts';
export { GuestPasids } from './spids.ts';
export { IntelSvm } from './svm.ts';
export { VfioOwners, type Owner } from './vfio.ts';
