/**
 * A family with designs, for tests: CPUs broadcast, an SMMU holds two entries, and no memory. Each broadcast by CPU n is for
 * space n; the SMMU's entries belong to space 0 and to the private space 2.
 */
import fc from 'fast-check';
import { Cell } from '../../../engine/cell.ts';
import { Machine } from '../../../engine/machine.ts';
import { step, type Task } from '../../../engine/step.ts';
import type { System } from '../../../engine/system.ts';
import { PhysicalMemory, type SmmuPort } from '../../../impl/platform/index.ts';
import { COMMAND_TLBI, encode, OPCODE, QUEUE_BASE, REGISTER } from '../../../model/architecture/arm/layout/index.ts';
import { InvalidationMonitor, type CoveredEntry } from '../../../model/contract/invalidation.ts';
import type { Configuration, Family, Program } from '../../family.ts';
import { CommandCounter } from '../commands.ts';
import type { CostScenario, CostWorld } from '../scenario.ts';

const PRIVATE = 2;
const ENTRIES: readonly CoveredEntry[] = [
  { vmid: 0, asid: 0, stage: 1, valid: true, required: true },
  { vmid: 0, asid: PRIVATE, stage: 1, valid: true, required: true },
];
const TLBI = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VA });

/** "off": no broadcast reaches the SMMU, so each is followed by a command. "on": broadcasts reach it. "rash", "bad": and fail. */
class SignalWorld implements CostWorld {
  readonly configuration: Configuration;
  readonly counters = { witnesses: {}, operations: {} };
  readonly costs;
  readonly #machine = new Machine();
  readonly #done = new Cell(this.#machine, 'broadcasts');
  readonly #memory = new PhysicalMemory(this.#machine.store, [{ base: 0x1_0000, frames: 1 }]);
  readonly #prod = new Cell(this.#machine, 'CMDQ_PROD');
  readonly #design: string;

  constructor(configuration: Configuration, design: string) {
    this.configuration = { ...configuration, design };
    this.#design = design;
    const use = {
      ownerOf: ({ asid }: CoveredEntry) => asid,
      isPrivate: (space: number) => space === PRIVATE,
      held: () => ENTRIES.length,
    };
    const port: SmmuPort = {
      writeRegister: (offset, low) => {
        if (offset === REGISTER.CMDQ_PROD) this.#prod.value = low;
      },
      readRegister: () => this.#prod.value,
      completeCommands: () => undefined,
    };
    const invalidations = new InvalidationMonitor({ streams: [], spaces: 3, pages: [] }, use);
    this.costs = { invalidations, commands: new CommandCounter(port, this.#memory) };
    const [low = 0, high = 0] = encode(QUEUE_BASE, { ADDR: 0x1_0000, LOG2SIZE: 3 });
    this.costs.commands.writeRegister(REGISTER.CMDQ_BASE, low, high);
  }

  load(program: Program): System {
    const agents = program.agents.map(({ name, operations }, cpu) => ({
      name,
      context: 'process' as const,
      daemon: false,
      operations: operations.map(() => ({ label: 'broadcast', start: () => this.#broadcast(cpu) })),
    }));
    return { machine: this.#machine, agents, check: () => this.costs.invalidations.settle() };
  }

  snapshot(): readonly string[] {
    return [];
  }

  explain() {
    return [];
  }

  describeOperation(): string {
    return 'broadcast';
  }

  *#broadcast(cpu: number): Task {
    const { invalidations, commands } = this.costs;
    yield* step('TLBI', () => {
      this.#done.value += 1;
      invalidations.on({ type: 'tlbi', by: 'broadcast', space: cpu });
      if (this.#design === 'off') {
        const prod = commands.readRegister(REGISTER.CMDQ_PROD);
        this.#memory.writeWords(0x1_0000 + (prod % 8) * 16, TLBI);
        commands.writeRegister(REGISTER.CMDQ_PROD, (prod + 1) % 16);
        return undefined;
      }
      for (const entry of ENTRIES) invalidations.covered(entry, 'broadcast');
      invalidations.on({ type: 'tlbi.left-out', space: cpu, commands: 1 });
      if ((this.#design === 'rash' || this.#design === 'bad') && this.#done.value > 3)
        this.#machine.fail({ monitor: 'signals', rule: 'too-many', message: 'There are too many broadcasts.' });
      return undefined;
    });
  }
}

const twice = (name: string) => ({ name, operations: [{ op: 'broadcast' }, { op: 'broadcast' }] });
const program: Program = { agents: [twice('CPU0'), twice('CPU1')] };

/** What there is to measure. @param names which designs. */
export function signalScenario(...names: readonly string[]): CostScenario {
  return {
    designs: names.map((name) => ({ name, summary: `design ${name}`, ...(name === 'bad' ? { mistaken: true } : {}) })),
    configurations: fc.record({ size: fc.nat(3) }),
    programs: () => fc.constantFrom(program, { agents: [twice('CPU0')] }),
    world: (configuration, design) => new SignalWorld(configuration, design),
    units: [{ title: 'both CPUs', configuration: {}, program }],
    litmus: [{ id: 'two-cpus', configuration: {}, program }],
  };
}

/** A family that has designs and nothing else. */
export function signals(...names: readonly string[]): Family {
  const scenario = signalScenario(...names);
  return {
    name: 'signals',
    summary: 'broadcasts',
    hazards: [],
    litmus: [],
    configurations: scenario.configurations,
    programs: scenario.programs,
    world: (configuration) => scenario.world(configuration, String(configuration['design'])),
    simplify: () => [],
    witnesses: [],
    cost: scenario,
  };
}
