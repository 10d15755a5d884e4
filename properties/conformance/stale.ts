/** Tells a stale answer from other wrong ones, by asking the model. */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { compare } from './compare.ts';
import type { Deviation, Permitted } from './deviation.ts';
import { follow } from './follow.ts';
import type { CommandOperation } from './operation.ts';
import { Oracle } from './oracle.ts';
import type { ConformanceProgram } from './program.ts';
import { inputAddress, streamIdOf } from './world.ts';

/** Takes a model through a program up to an operation, and asks what is permitted there. */
const permittedAt = (
  program: ConformanceProgram,
  features: SmmuFeatures,
  index: number,
  part: 'read' | 'write',
): readonly Permitted[] | undefined => {
  const { configuration, operations } = program;
  const oracle = new Oracle(program, features);
  for (const operation of operations.slice(0, index)) follow(oracle, configuration, operation);
  const access = operations[index];
  if (access?.kind !== 'access') return undefined;
  const streamId = streamIdOf(configuration.devices[access.stream] as number);
  return oracle.permitted(streamId, inputAddress(configuration, access), part);
};

/** A wrong field of a record that says nothing of what was cached. */
const isSlip = ({ difference, found }: Deviation): boolean =>
  difference === 'event-field' && /\.(IPA\[11:0\]|RnW)$/.test(found);

/**
 * The invalidation that a deviating answer outlived: the last one without which the answer would be permitted. Undefined:
 * the answer is not stale.
 */
export const outlivedInvalidation = (
  program: ConformanceProgram,
  deviation: Deviation,
  features: SmmuFeatures,
): CommandOperation | undefined => {
  const { observed, part, operation: index } = deviation;
  const access = program.operations[index];
  if (observed === undefined || (part !== 'read' && part !== 'write') || access?.kind !== 'access') return undefined;
  if (isSlip(deviation)) return undefined;
  const streamId = streamIdOf(program.configuration.devices[access.stream] as number);
  const request = { part, streamId, address: inputAddress(program.configuration, access) };
  for (let at = index - 1; at >= 0; at--) {
    const operation = program.operations[at];
    if (operation?.kind !== 'command') continue;
    const without = program.operations.filter((_, other) => other !== at);
    const permitted = permittedAt({ ...program, operations: without }, features, index - 1, part);
    const remaining = compare(index - 1, request, observed, permitted);
    if (remaining === undefined || isSlip(remaining)) return operation.command;
  }
  return undefined;
};
