/** What a device must offer for every program to be of use on it. */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';

/** Features like those of QEMU's SMMUv3, which the programs are made for. */
export const conformanceFeatures: SmmuFeatures = {
  oas: 44,
  granules: [12, 14, 16],
  asid16: true,
  vmid16: true,
  stage1: true,
  stage2: true,
  ats: false,
  pri: false,
  hyp: false,
  btm: false,
  fwb: false,
  xnx: true,
  ril: true,
  bbml: 2,
  stLevel: true,
  cd2l: false,
  sidSize: 16,
  ssidSize: 0,
  had: true,
  stt: false,
  permissionOverride: false,
  stallModel: 1,
  termModel: true,
};
