/** Our SMMUv3: a fast device model, and the subject of the device check. */
export type { AtsEndpoint } from './commands/invalidations.ts';
export { DEFAULT_CACHES, SmmuV3Device } from './device.ts';
export type { DeviceCaches, DeviceOptions } from './device.ts';
export type { DeviceFeatures } from './features.ts';
export { emptyAnswer } from './request.ts';
export type { AnswerKind, Completion, DeviceAnswer, DeviceMemory, DeviceRequest, RequestKind } from './request.ts';
export type { Resumed } from './stalls.ts';
export type { Translation } from './translation.ts';
