import type { Family, Operation } from '../../family.ts';
import { asidConfiguration } from '../configuration.ts';
import { asid } from '../index.ts';
import { asidOperation } from '../operations.ts';
import { needsSubstream } from './feasibility.ts';

/** The family without what no device of QEMU can do: nothing is bound, nothing has a SubstreamID. */
export const asidWithoutSubstreams: Family = {
  ...asid,
  configurations: asid.configurations.map((configuration) => ({ ...configuration, bound: false })),
  programs: (configuration) =>
    asid
      .programs(asidConfiguration(configuration))
      .map(({ agents }) => ({
        agents: agents
          .map((agent) => ({ ...agent, operations: agent.operations.filter(isPossible) }))
          .filter(({ operations }) => operations.length > 0),
      }))
      .filter(({ agents }) => agents.length > 0),
};

function isPossible(operation: Operation): boolean {
  return !needsSubstream(asidOperation(operation));
}
