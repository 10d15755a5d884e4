import { describe, expect, it } from 'vitest';
import { HarnessError } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import { COMMAND_TLBI, encode, OPCODE, REGISTER } from '../../model/architecture/arm/layout/index.ts';
import { PhysicalMemory, type SmmuPort } from '../platform/index.ts';
import { CommandQueue, type Command } from './cmdq.ts';

const BASE = 0x4100_0000;
const flush: Command = { label: 'flush', lanes: encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_ASID, ASID: 5 }) };

/** A queue of four commands, over a port whose CMDQ_CONS the test moves. */
function queue(): {
  queue: CommandQueue;
  memory: PhysicalMemory;
  machine: Machine;
  port: SmmuPort & { cons: number; prod: number };
} {
  const machine = new Machine();
  const memory = new PhysicalMemory(machine.store, [{ base: BASE, frames: 1 }]);
  const port = {
    cons: 0,
    prod: 0,
    writeRegister(offset: number, low: number): void {
      if (offset === REGISTER.CMDQ_PROD) port.prod = low;
    },
    readRegister: (): number => port.cons,
    completeCommands(prod: number): void {
      port.cons = prod;
    },
  };
  return { queue: new CommandQueue(machine, memory, port, BASE, 2), memory, machine, port };
}

describe('CommandQueue', () => {
  it('announces a list at once, with its CMD_SYNC, and wipes what was consumed', () => {
    const { queue: cmdq, memory, port } = queue();
    const step = cmdq.issue([flush], true);
    expect(step.label).toBe('flush');
    expect(step.run()).toBe(2);
    expect(port.prod).toBe(2);
    expect(memory.readWords(BASE, 2)).toEqual(flush.lanes);
    expect(memory.low(BASE + 16) & 0xff).toBe(OPCODE.SYNC);
    cmdq.wait(2).run();
    expect(memory.readWords(BASE, 4).every((lane) => lane === 0)).toBe(true);
  });

  it('wraps around, with the wrap bit in the index', () => {
    const { queue: cmdq, port } = queue();
    for (const prod of [2, 4, 6, 0, 2]) {
      expect(cmdq.issue([flush], true).run()).toBe(prod);
      cmdq.wait(prod).run();
    }
    expect(port.prod).toBe(2);
  });

  it('keeps lists of two producers apart, and completes the earlier one with the later', () => {
    const { queue: cmdq, memory } = queue();
    const first = cmdq.issue([flush], true).run();
    const second = cmdq.issue([flush], true).run();
    expect([first, second]).toEqual([2, 4]);
    expect(memory.readWords(BASE + 32, 2)).toEqual(flush.lanes);
    cmdq.wait(second).run();
    expect(memory.readWords(BASE, 8).every((lane) => lane === 0)).toBe(true);
  });

  it('lets the SMMU consume what is there when it is full, and goes on', () => {
    const { queue: cmdq, memory, port } = queue();
    expect(cmdq.issue([flush, flush, flush, flush], true).run()).toBe(5);
    expect([port.cons, port.prod]).toEqual([4, 5]);
    expect(memory.low(BASE) & 0xff).toBe(OPCODE.SYNC);
  });

  it('is a broken harness when it stays full', () => {
    const { queue: cmdq, port } = queue();
    port.completeCommands = () => undefined;
    expect(() => cmdq.issue([flush, flush, flush, flush], true).run()).toThrow(HarnessError);
  });

  it('reports a command at which the SMMU stops', () => {
    const { queue: cmdq, machine, port } = queue();
    port.cons = 1 << 24;
    cmdq.issue([flush], true).run();
    expect(machine.failure).toMatchObject({ monitor: 'smmu', rule: 'command-error' });
  });
});
