/** QEMU's SMMUv3 as a device under test, driven over qtest. */
export { examineQemu, installQemu } from './doctor.ts';
export type { QemuCheck, QemuDoctor } from './doctor.ts';
export { QemuGone } from './ending.ts';
export type { QemuEnding } from './ending.ts';
export { QemuMachine, QemuMissing } from './machine.ts';
export type { DmaDevice, MachineOptions } from './machine.ts';
export { rockerControl, rockerFill } from './rocker.ts';
export type { CommandResult, EventRecord, QueuePlace } from './smmuv3-port.ts';
export { findOnPath, findQemuArm, qemuArmName, qemuVersion } from './binary.ts';
