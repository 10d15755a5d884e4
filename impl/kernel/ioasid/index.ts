export { CyclicIoasid, DESIGNS, FREE_DESIGNS, freesAnywhere, type FreeDesign } from './designs.ts';
export { IntelPasid, type EntryTag } from './intel-pasid.ts';
export { Ioasid } from './ioasid.ts';
export { IoasidKernel, type IoasidBase, type IoasidLayout, type IoasidNote, type IoasidParts } from './kernel.ts';
export { KvmPasids } from './kvm.ts';
export type { IntelSvmObject, IoasidData, IoasidSet } from './objects.ts';
export type { PasidPort, VtdDomain, VtdPort } from './port.ts';
export { IntelSvm } from './svm.ts';
export { VfioOwners, type Owner } from './vfio.ts';
