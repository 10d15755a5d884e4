import { step, type Task } from '../../engine/step.ts';
import type { GuestOperations, HostOperations } from '../../impl/kernel/nested/index.ts';
import { CHURN, type Machines } from './machines.ts';
import { BLOCK_BYTES, frameIndex, framePa, IPAS, PAGE_BYTES, VIRTUAL } from './memory-map.ts';
import type { BtmOperation } from './operations.ts';

/** Who carries operations out. */
export interface Actors {
  readonly host: HostOperations;
  readonly guest: GuestOperations;
  readonly machines: Machines;
  /** The SMMU has stage 1. */
  readonly stage1: boolean;
}

/** The task of an operation on a CPU. */
export function taskOf(actors: Actors, cpu: number, operation: BtmOperation): Task<boolean> {
  const { host, machines } = actors;
  const { operations } = machines;
  switch (operation.op) {
    case 'run':
      return operations.run(cpu, operation.machine);
    case 'put':
      return operations.put(cpu);
    case 'churn':
      return churn(actors, cpu, operation.times);
    case 'kvmMap':
      return operations.map(cpu, operation.machine, IPAS[0]);
    case 'kvmUnmap':
      return operations.unmap(cpu, operation.machine, IPAS[0]);
    case 'vmDestroy':
      return operations.destroy(operation.machine);
    case 'map':
      return host.map(
        operation.place,
        ipaOf(operation.page),
        PAGE_BYTES,
        framePa(frameIndex(operation.place, operation.frame)),
      );
    case 'unmap':
      return host.unmap(operation.place, ipaOf(operation.page), PAGE_BYTES);
    case 'attach':
      return host.attach(operation.place, operation.device);
    case 'detach':
      return host.attachStatic('blocked', operation.device);
    case 'domainAlloc':
      return host.domainAlloc(operation.place);
    case 'domainFree':
      return host.domainFree(operation.place);
    case 'vmidPressure':
      return host.vmidPressure();
    default:
      // Without nested translation no guest is offered an SMMU.
      if (!actors.stage1) return rejected();
      return machines.asGuest(cpu, 0, () => guestTask(actors.guest, operation));
  }
}

function* churn({ machines }: Actors, cpu: number, times: number): Task<boolean> {
  let done = false;
  for (let at = 0; at < times; at++) done = (yield* machines.operations.churn(cpu, CHURN)) || done;
  return done;
}

function* rejected(): Task<boolean> {
  return yield* step('there is no stage 1', () => false);
}

/** The part of a guest's operation that its own software does. */
export function guestTask(
  guest: GuestOperations,
  operation: BtmOperation & { readonly op: 'guestMap' | 'guestUnmap' | 'guestUnmapTable' | 'guestNest' | 'guestFlush' },
): Task<boolean> {
  switch (operation.op) {
    case 'guestMap':
      return guest.map(0, VIRTUAL, ipaOf(operation.ipa));
    case 'guestUnmap':
      return guest.unmap(0, VIRTUAL, PAGE_BYTES);
    case 'guestUnmapTable':
      return guest.unmap(0, 0, BLOCK_BYTES);
    case 'guestNest':
      return guest.stream(operation.device, 'stage 1');
    case 'guestFlush':
      return guest.flush();
  }
}

function ipaOf(page: number): number {
  return IPAS[page] as number;
}
