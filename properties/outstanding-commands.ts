import type { Machine } from '../engine/machine.ts';
import type { SmmuPort } from '../impl/platform/index.ts';
import { REGISTER } from '../model/architecture/arm/layout/index.ts';

/** Whose commands the SMMU has not completed yet: to see that another agent runs meanwhile. */
export class OutstandingCommands {
  readonly #machine: Machine;
  /** Cell: who has commands outstanding (agent + 1), 0: nobody. */
  readonly #issuer: number;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#issuer = machine.store.reserve(1, 'commands outstanding');
    machine.nameAgents('owner', this.#issuer, 1);
  }

  /** A port to the SMMU, with an eye on CMDQ_PROD. */
  port(smmu: SmmuPort): SmmuPort {
    const { store } = this.#machine;
    return {
      writeRegister: (offset, low, high) => {
        if (offset === REGISTER.CMDQ_PROD) store.set(this.#issuer, this.#machine.current + 1);
        smmu.writeRegister(offset, low, high);
      },
      readRegister: (offset) => smmu.readRegister(offset),
      completeCommands: (prod) => {
        store.set(this.#issuer, 0);
        smmu.completeCommands(prod);
      },
    };
  }

  /** Whether commands of another agent than the one that runs are outstanding. */
  get ofAnother(): boolean {
    const issuer = this.#machine.store.get(this.#issuer);
    return issuer !== 0 && issuer !== this.#machine.current + 1;
  }
}
