import type { Failure } from '../../engine/failure.ts';
import type { IopfKernel } from '../../impl/kernel/iopf/index.ts';
import { findLifeLeak } from './leaks-life.ts';

/** What is left over when nothing runs any more: a request that nobody can find, a group that was not freed. */
export function findLeak(kernel: IopfKernel): Failure | undefined {
  const { groups, iopfs, params, devices } = kernel;
  const ofProcess = findLifeLeak(kernel);
  if (ofProcess !== undefined) return leak('process', ofProcess);
  const [group] = groups.live();
  if (group !== undefined) return leak('group', `${groups.at(group).name} is allocated, and nobody works on it.`);
  const kept = new Set(params.live().flatMap((param) => params.at(param).partial.handles));
  const lost = iopfs.live().find((handle) => !kept.has(handle));
  if (lost !== undefined) return leak('request', `iopf${lost - 1} is allocated and in no list.`);
  const used = new Set(devices.live().map((device) => devices.at(device).param.value));
  const param = params.live().find((handle) => !used.has(handle));
  return param === undefined
    ? undefined
    : leak('fault_param', `fault_param${param - 1} is allocated and of no device.`);
}

function leak(kind: string, message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind } };
}
