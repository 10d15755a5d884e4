/** Takes the architecture model through an operation. */
import { buildCommand } from './commands.ts';
import type { ConformanceConfiguration } from './configuration.ts';
import { storesOf } from './effects.ts';
import type { Operation } from './operation.ts';
import type { Oracle } from './oracle.ts';
import { globalBypass, streamTableRegisters } from './set-up.ts';

/**
 * Tells the model what software does in an operation; an access tells it nothing, nor does an illegal command. Of an
 * overflow it hears only what it knows: translation off and on, and the invalidation at the end.
 */
export const follow = (oracle: Oracle, configuration: ConformanceConfiguration, operation: Operation): void => {
  const invalidateConfiguration = (): void =>
    oracle.command([buildCommand(configuration, { opcode: 'CFGI_ALL' })], true);
  switch (operation.kind) {
    case 'access':
      return;
    case 'command': {
      const lanes = buildCommand(configuration, operation.command);
      if (!oracle.isIllegal(lanes)) oracle.command([lanes], operation.sync);
      return;
    }
    case 'enable':
      oracle.writeRegister(...globalBypass(operation.abort === true));
      oracle.enable(operation.on);
      return;
    case 'stream-format':
    case 'overflow':
      oracle.enable(false);
      if (operation.kind === 'stream-format')
        for (const write of streamTableRegisters(configuration, operation.twoLevel)) oracle.writeRegister(...write);
      invalidateConfiguration();
      oracle.enable(true);
      return;
    default:
      for (const { pa, low, high } of storesOf(configuration, operation)) oracle.store(pa, low, high);
  }
};
