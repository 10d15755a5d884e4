/** Our SMMUv3: a fast device model, and the subject of the device check. */
export { Endpoint } from './ats/endpoint.ts';
export type { EndpointAccess, EndpointOptions } from './ats/endpoint.ts';
export type { AtsEndpoint } from './commands/invalidations.ts';
export { SmmuV3Device } from './device.ts';
export type { DeviceCaches, DeviceOptions } from './device.ts';
export type { AnswerKind, Completion, DeviceAnswer, DeviceMemory, DeviceRequest, RequestKind } from './request.ts';
export type { Resumed } from './stalls.ts';
export { Translation } from './translation.ts';
