export { IommuAttach } from './attach.ts';
export { IommufdFault } from './fault-object.ts';
export { IoPgfault } from './io-pgfault.ts';
export { IopfKernel, type IopfBase, type IopfLayout, type IopfNote, type IopfParts } from './kernel.ts';
export {
  IommuSva,
  MmuNotifiers,
  ProcessLife,
  ProcessMm,
  SvmDomains,
  type LifeParts,
  type MmStruct,
  type SvaDomain,
} from './life/index.ts';
export type { AttachHandle, FaultParam, Iopf, IopfDevice, IopfGroup } from './objects.ts';
export type { PageResponse, PriPort, Prm } from './port.ts';
export { IommuReplace } from './replace.ts';
export { SmmuEvtq } from './evtq.ts';
export { IntelPrq } from './prq.ts';
