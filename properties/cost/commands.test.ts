import { describe, expect, test } from 'vitest';
import { Machine } from '../../engine/machine.ts';
import { runToCompletion } from '../../engine/complete.ts';
import { CommandQueue } from '../../impl/kernel/cmdq.ts';
import { PhysicalMemory, type SmmuPort } from '../../impl/platform/index.ts';
import { COMMAND_CFGI, COMMAND_TLBI, encode, OPCODE, REGISTER } from '../../model/architecture/arm/layout/index.ts';
import { CommandCounter } from './commands.ts';

/** Registers of an SMMU that consumes what software has waited for. */
function registers(): SmmuPort {
  const values = new Map<number, number>();
  return {
    writeRegister: (offset, low) => void values.set(offset, low),
    readRegister: (offset) => values.get(offset) ?? 0,
    completeCommands: (prod) => void values.set(REGISTER.CMDQ_CONS, prod),
  };
}

const tlbi = { label: 'TLBI', lanes: encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VA }) };
const cfgi = { label: 'CFGI', lanes: encode(COMMAND_CFGI, { Opcode: OPCODE.CFGI_CD }) };

describe('CommandCounter', () => {
  const machine = new Machine();
  const memory = new PhysicalMemory(machine.store, [{ base: 0x1_0000, frames: 1 }]);
  const counter = new CommandCounter(registers(), memory);
  const queue = new CommandQueue(machine, memory, counter, 0x1_0000, 3);
  queue.configure();

  test('counts each command once, by kind, around the end of the queue', () => {
    for (let round = 0; round < 5; round++) runToCompletion(queue.issueSync([tlbi, tlbi, cfgi]));
    expect(counter.counts).toEqual({ tlbi: 10, sync: 5, atc: 0, cfgi: 5 });
  });

  test('counts a list that fills the queue, and starts anew', () => {
    counter.reset();
    runToCompletion(queue.issueSync(Array.from({ length: 7 }, () => tlbi)));
    expect(counter.counts).toEqual({ tlbi: 7, sync: 1, atc: 0, cfgi: 0 });
  });
});
