import type { Machine } from '../../engine/machine.ts';
import type { QueueIndex } from '../../impl/kernel/cmdq-index.ts';
import type { CommandName, Fetched } from './command.ts';

/** Most agents that issue commands. */
const CPUS_MAX = 4;

/**
 * What `arm_smmu_cmdq_issue_cmdlist()` promises to its callers (comment above it, Linux 5.4 and later), and what the
 * architecture asks of whoever writes the queue (IHI 0070 §3.5, §3.21.2):
 *
 * - every command is consumed once, in the order in which its CPU issued it (`command-lost`, `command-stale`);
 * - "all of the commands from one CPU will appear before any of the commands from the other CPU": a list is not
 *   interleaved with another (`list-interleaved`);
 * - "there is a dma_wmb() before publishing": what a CPU has stored before is visible to a command (`data-late`);
 * - a list with CMD_SYNC returns after the SMMU has consumed that, and so completed all before it (`sync-early`);
 * - an entry is not written while it is full (`entry-overwritten`), and PROD only goes forward, not past CONS
 *   (`prod-inconsistent`).
 */
export class CmdqContract {
  readonly #machine: Machine;
  readonly #index: QueueIndex;
  /** For each CPU: number of the last command that it issued, and of the last that was consumed. */
  readonly #issued: number;
  readonly #consumed: number;
  /** For each CPU: number of the last command in front of a CMD_SYNC that was consumed. */
  readonly #completed: number;
  /** CPU + 1 whose list is being consumed, 0 between lists; plus `SYNC_NEXT` if only its CMD_SYNC is missing. */
  readonly #open: number;

  constructor(machine: Machine, index: QueueIndex) {
    this.#machine = machine;
    this.#index = index;
    this.#issued = machine.store.reserve(CPUS_MAX, 'commands issued');
    this.#consumed = machine.store.reserve(CPUS_MAX, 'commands consumed', (cpu, count) => `CPU${cpu}: ${count}`);
    this.#completed = machine.store.reserve(CPUS_MAX, 'commands completed');
    this.#open = machine.store.reserve(1, 'list being consumed');
  }

  /** Number of the last command that a CPU has issued, or begun to. */
  issued(cpu: number): number {
    return this.#machine.store.get(this.#issued + cpu);
  }

  /** A CPU begins to issue commands up to a number. */
  issuing(cpu: number, last: number): void {
    this.#machine.store.set(this.#issued + cpu, last);
  }

  /** The SMMU executes what it found in an entry. `visible`: number up to which the CPU's other stores have arrived. */
  consumed(entry: number, found: Fetched, visible: (cpu: number) => number): void {
    const { store } = this.#machine;
    const open = store.get(this.#open);
    if (found.kind === 'nothing') return this.#fail('command-stale', `entry ${entry}, which holds no command`);
    if (found.kind === 'sync') {
      if ((open & SYNC_NEXT) === 0)
        return this.#fail('command-stale', `a CMD_SYNC in entry ${entry}, where nobody has put one`);
      const cpu = (open & ~SYNC_NEXT) - 1;
      store.set(this.#completed + cpu, store.get(this.#consumed + cpu));
      store.set(this.#open, 0);
      return undefined;
    }
    const { cpu, sequence, first, last, sync } = found.name;
    const before = store.get(this.#consumed + cpu);
    if (sequence <= before || sequence > store.get(this.#issued + cpu))
      return this.#fail('command-stale', `${named(found.name)} again, from an entry that was not written since`);
    if (sequence !== before + 1)
      return this.#fail('command-lost', `${named(found.name)} after number ${before} of that CPU`);
    const inside = open !== 0;
    if (inside ? open !== cpu + 1 || first : !first)
      return this.#fail('list-interleaved', `${named(found.name)} amid the list of another CPU`);
    store.set(this.#consumed + cpu, sequence);
    store.set(this.#open, last ? (sync ? (cpu + 1) | SYNC_NEXT : 0) : cpu + 1);
    if (visible(cpu) < sequence)
      this.#fail('data-late', `${named(found.name)} before what CPU${cpu} stored in front of it has arrived in memory`);
    return undefined;
  }

  /** A list with CMD_SYNC has returned. */
  returned(cpu: number, last: number): void {
    const done = this.#machine.store.get(this.#completed + cpu);
    if (done >= last) return;
    this.#machine.fail({
      monitor: 'cmdq',
      rule: 'sync-early',
      message: `CPU${cpu} has waited for its CMD_SYNC, but of its ${last} commands the SMMU has completed ${done}.`,
    });
  }

  /** An entry is written, or a register. */
  entryWritten(entry: number, prod: number, cons: number): void {
    const full = this.#index.distance(cons, prod);
    const place = (entry - this.#index.entry(cons) + this.#index.entries) % this.#index.entries;
    if (place < full)
      this.#machine.fail({
        monitor: 'cmdq',
        rule: 'entry-overwritten',
        message: `Entry ${entry} is written while it is full: CMDQ_PROD is ${prod}, CMDQ_CONS ${cons}.`,
      });
  }

  /** CMDQ_PROD is written. */
  prodWritten(before: number, after: number, cons: number): void {
    const goes = this.#index.distance(cons, after);
    if (goes <= this.#index.entries && goes >= this.#index.distance(cons, before)) return;
    this.#machine.fail({
      monitor: 'cmdq',
      rule: 'prod-inconsistent',
      message: `CMDQ_PROD goes from ${before} to ${after} while CMDQ_CONS is ${cons}.`,
    });
  }

  /** Nobody does anything any more. */
  quiescent(): void {
    const { store } = this.#machine;
    for (let cpu = 0; cpu < CPUS_MAX; cpu++) {
      const [issued, done] = [store.get(this.#issued + cpu), store.get(this.#consumed + cpu)];
      if (issued === done) continue;
      this.#machine.fail({
        monitor: 'cmdq',
        rule: 'command-lost',
        message: `CPU${cpu} has issued ${issued} commands, of which the SMMU has consumed ${done}, and nothing goes on.`,
      });
    }
  }

  #fail(rule: string, what: string): undefined {
    this.#machine.fail({ monitor: 'cmdq', rule, message: `The SMMU executes ${what}.` });
  }
}

const SYNC_NEXT = 1 << 8;

function named({ cpu, sequence }: CommandName): string {
  return `command ${sequence} of CPU${cpu}`;
}
