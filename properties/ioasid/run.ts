import type { Task } from '../../engine/step.ts';
import type { IoasidKernel, NotifierChains } from '../../impl/kernel/ioasid/index.ts';
import type { IoasidOperation } from './configuration.ts';

/** An operation of a program. Returns whether it applied. */
export function* runOperation(kernel: IoasidKernel, operation: IoasidOperation): Task<boolean> {
  const { vfio, failNth, ioasidSets, spids, allocators, hotplug } = kernel;
  switch (operation.op) {
    case 'open':
      return yield* vfio.open(operation.owner);
    case 'close':
      return yield* vfio.close(operation.owner);
    case 'alloc':
      return yield* vfio.alloc(operation.owner);
    case 'free':
      return yield* vfio.free(operation.owner);
    case 'exit':
      return yield* vfio.freeByCallback(operation.owner);
    case 'find':
      return yield* vfio.find(operation.owner);
    case 'bind':
      return yield* vfio.bind(operation.owner, operation.device);
    case 'unbind':
      return yield* vfio.unbind(operation.owner, operation.device);
    case 'failNth':
      yield* failNth.arm(operation.nth);
      return true;
    case 'adjust':
      return yield* ioasidSets.adjust(operation.owner, operation.quota);
    case 'freeAll':
      return yield* ioasidSets.free_all(operation.owner);
    case 'attachSpid':
      return yield* vfio.attachSpid(operation.owner, operation.spid);
    case 'findSpid':
      return yield* spids.find(operation.owner, operation.spid);
    case 'register':
      return yield* chainsOf(kernel).register(operation.owner);
    case 'unregister':
      return yield* chainsOf(kernel).unregister(operation.owner);
    case 'registerAllocator':
      return yield* allocators.register(operation.iommu);
    case 'unregisterAllocator':
      return yield* allocators.unregister(operation.iommu);
    case 'remove':
      return yield* hotplug.remove(operation.device);
    case 'probe':
      return yield* hotplug.probe(operation.device);
  }
}

function chainsOf({ chains }: IoasidKernel): NotifierChains {
  if (chains === undefined) throw new RangeError('listeners do not come or go');
  return chains;
}
