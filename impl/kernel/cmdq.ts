import { Cell } from '../../engine/cell.ts';
import { HarnessError } from '../../engine/failure.ts';
import type { Machine } from '../../engine/machine.ts';
import { beforeMmioWrite, dma_wmb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import {
  CMDQ_CONS,
  COMMAND_SYNC,
  encode,
  extract,
  OPCODE,
  QUEUE_BASE,
  REGISTER,
} from '../../model/architecture/arm/layout/index.ts';
import type { PhysicalMemory, SmmuPort } from '../platform/index.ts';

/** One command: its four lanes, and what a report calls it. */
export interface Command {
  readonly label: string;
  readonly lanes: readonly number[];
}

const COMMAND_BYTES = 16;

/** CMD_SYNC that signals nothing: its consumption is polled (IHI 0070 §4.7.3). */
const SYNC: Command = { label: 'CMD_SYNC', lanes: encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC }) };

/**
 * The command queue, with any number of producers (`arm_smmu_cmdq_issue_cmdlist`).
 *
 * The kernel guarantees that a list of commands of one CPU is not interleaved with those of another and that all of it
 * is in memory before CMDQ_PROD moves; so putting a list in and moving PROD is one step. Waiting for the CMD_SYNC at its
 * end is another one. Its `dma_wmb` orders everything else that the CPU has stored (page tables, configuration) as well.
 */
export class CommandQueue {
  readonly #memory: PhysicalMemory;
  readonly #port: SmmuPort;
  readonly #machine: Machine;
  readonly #base: number;
  readonly #log2Entries: number;
  readonly #prod: Cell;
  readonly #cons: Cell;

  /** @param base address of the queue, aligned to its size. */
  constructor(machine: Machine, memory: PhysicalMemory, port: SmmuPort, base: number, log2Entries: number) {
    this.#machine = machine;
    this.#memory = memory;
    this.#port = port;
    this.#base = base;
    this.#log2Entries = log2Entries;
    this.#prod = new Cell(machine, 'cmdq.prod', { internal: true });
    this.#cons = new Cell(machine, 'cmdq.cons', { internal: true });
  }

  /** Tells the SMMU where the queue is. Set-up only, while the queue is disabled. */
  configure(): void {
    const [low, high] = encode(QUEUE_BASE, { ADDR: this.#base, LOG2SIZE: this.#log2Entries, ALLOCATE: 1 });
    this.#port.writeRegister(REGISTER.CMDQ_BASE, low as number, high as number);
    this.#port.writeRegister(REGISTER.CMDQ_PROD, 0);
    this.#port.writeRegister(REGISTER.CMDQ_CONS, 0);
  }

  /**
   * Puts commands into the queue and announces them, as one step. Its result is the CMDQ_PROD index behind them.
   *
   * @param sync adds a CMD_SYNC, for which `wait` can wait.
   */
  issue(commands: readonly Command[], sync: boolean): Step<number> {
    const list = sync ? [...commands, SYNC] : commands;
    return step(
      labelOf(commands.length === 0 ? list : commands),
      () => this.#insert(list),
      () => undefined,
    );
  }

  /** Waits until the SMMU has consumed the CMD_SYNC in front of index `prod`, and so completed all before it. */
  wait(prod: number): Step<undefined> {
    return step(SYNC.label, () => {
      this.#port.completeCommands(prod);
      this.#reclaim();
      return undefined;
    });
  }

  /** `arm_smmu_cmdq_issue_cmdlist()` with sync: issues the commands and waits for their completion. */
  *issueSync(commands: readonly Command[]): Task {
    const prod = yield* this.issue(commands, true);
    yield* this.wait(prod);
  }

  #insert(list: readonly Command[]): number {
    const size = 1 << this.#log2Entries;
    // "Mark our slots as valid, ensuring commands are visible first", then writel_relaxed(prod_reg).
    dma_wmb(this.#machine);
    beforeMmioWrite(this.#machine);
    let prod = this.#prod.value;
    for (const { lanes } of list) {
      if (this.#distance(this.#cons.value, prod) === size) this.#makeRoom(prod);
      this.#memory.writeWords(this.#base + (prod & (size - 1)) * COMMAND_BYTES, lanes);
      prod = (prod + 1) & (2 * size - 1);
    }
    this.#prod.value = prod;
    this.#port.writeRegister(REGISTER.CMDQ_PROD, prod);
    this.#reclaim();
    return prod;
  }

  /**
   * `arm_smmu_cmdq_poll_until_not_full()`: the queue is full up to `prod`. The SMMU consumes what is in it, which completes
   * nothing that no CMD_SYNC stands behind. (That other CPUs may run meanwhile is not modelled: it takes a list as long as the queue.)
   */
  #makeRoom(prod: number): void {
    this.#prod.value = prod;
    this.#port.writeRegister(REGISTER.CMDQ_PROD, prod);
    this.#port.completeCommands(prod);
    this.#reclaim();
    if (this.#distance(this.#cons.value, prod) === 1 << this.#log2Entries)
      throw new HarnessError('the command queue stays full');
  }

  /**
   * Takes note of CMDQ_CONS. Consumed entries belong to software again and are wiped, so that the order of commands long
   * done is not part of a state.
   */
  #reclaim(): void {
    const register = this.#port.readRegister(REGISTER.CMDQ_CONS);
    const error = extract(CMDQ_CONS.fields.ERR, register, 0);
    if (error !== 0)
      this.#machine.fail({
        monitor: 'smmu',
        rule: 'command-error',
        message: `The SMMU stopped at a command of ${this.#machine.agentName(this.#machine.current)} (CMDQ_CONS.ERR ${error}).`,
      });
    const cons = extract(CMDQ_CONS.fields.RD, register, 0);
    const mask = (1 << this.#log2Entries) - 1;
    let at = this.#cons.value;
    while (at !== cons) {
      this.#memory.clear(this.#base + (at & mask) * COMMAND_BYTES, COMMAND_BYTES);
      at = (at + 1) & (2 * mask + 1);
    }
    this.#cons.value = cons;
  }

  #distance(from: number, to: number): number {
    return (to - from) & ((2 << this.#log2Entries) - 1);
  }
}

const SHOWN_MAX = 3;

function labelOf(commands: readonly Command[]): string {
  const shown = commands.slice(0, SHOWN_MAX).map(({ label }) => label);
  if (commands.length > SHOWN_MAX) shown.push(`… (${commands.length} commands)`);
  return shown.join('; ');
}
