import {
  COMMAND_CFGI_STE_RANGE,
  COMMAND_TLBI,
  CFGI_RANGE_ALL,
  CR0,
  CR1,
  CR2,
  encode,
  OPCODE,
  QUEUE_BASE,
  REGISTER,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from '../../model/architecture/arm/layout/index.ts';
import { runToCompletion } from '../../engine/complete.ts';
import type { SmmuPort } from '../platform/index.ts';
import type { Kernel } from './kernel.ts';

/** log2 of the number of stream table entries: a table of 4 KiB. */
const STREAM_BITS = 6;
const EVENTQ_LOG2_ENTRIES = 5;
const WRITE_BACK = 1;
const INNER_SHAREABLE = 3;

/**
 * `arm_smmu_device_reset()`: tells the SMMU where tables and queues are, gives every device an entry for "no domain",
 * clears the caches and switches translation on. Set-up only.
 */
export function arm_smmu_device_reset(kernel: Kernel, port: SmmuPort, strtab: number): void {
  for (const master of kernel.masters) {
    const target = kernel.configWriter.detachedSte().target([]);
    kernel.memory.writeWords(master.ste, target);
  }
  const memory = { QUEUE_IC: WRITE_BACK, QUEUE_OC: WRITE_BACK, QUEUE_SH: INNER_SHAREABLE };
  const tables = { TABLE_IC: WRITE_BACK, TABLE_OC: WRITE_BACK, TABLE_SH: INNER_SHAREABLE };
  set(port, REGISTER.CR1, encode(CR1, { ...memory, ...tables }));
  // PTM = 1: CPU broadcasts need not reach this SMMU, and every invalidation goes through the command queue.
  set(
    port,
    REGISTER.CR2,
    encode(CR2, {
      E2H: kernel.driver.runsAtEl2(port) ? 1 : 0,
      RECINVSID: 1,
      PTM: kernel.driver.takesBroadcasts(port) ? 0 : 1,
    }),
  );
  setWide(port, REGISTER.STRTAB_BASE, encode(STRTAB_BASE, { ADDR: strtab, RA: 1 }));
  set(port, REGISTER.STRTAB_BASE_CFG, encode(STRTAB_BASE_CFG, { LOG2SIZE: STREAM_BITS }));
  kernel.cmdq.configure();
  set(port, REGISTER.CR0, encode(CR0, { CMDQEN: 1 }));
  runToCompletion(
    kernel.cmdq.issueSync([
      {
        label: 'CMD_CFGI_ALL',
        lanes: encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: CFGI_RANGE_ALL }),
      },
      { label: 'CMD_TLBI_NSNH_ALL', lanes: encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NSNH_ALL }) },
    ]),
  );
  const events = { ADDR: kernel.pages.alloc(), LOG2SIZE: EVENTQ_LOG2_ENTRIES, ALLOCATE: 1 };
  setWide(port, REGISTER.EVENTQ_BASE, encode(QUEUE_BASE, events));
  port.writeRegister(REGISTER.EVENTQ_PROD, 0);
  port.writeRegister(REGISTER.EVENTQ_CONS, 0);
  set(port, REGISTER.CR0, encode(CR0, { CMDQEN: 1, EVENTQEN: 1 }));
  set(port, REGISTER.CR0, encode(CR0, { CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 }));
}

/** CR0.ATSCHK, so that translated accesses are held against the configuration (IHI 0070 §3.9.1). Set-up only. */
export function arm_smmu_check_translated(port: SmmuPort): void {
  set(port, REGISTER.CR0, encode(CR0, { SMMUEN: 1, CMDQEN: 1, EVENTQEN: 1, ATSCHK: 1 }));
}

function set(port: SmmuPort, offset: number, lanes: readonly number[]): void {
  port.writeRegister(offset, lanes[0] as number);
}

function setWide(port: SmmuPort, offset: number, lanes: readonly number[]): void {
  port.writeRegister(offset, lanes[0] as number, lanes[1] as number);
}
