import type { PhysicalMemory, SmmuPort } from '../../impl/platform/index.ts';

/** One thing that software did to its hardware. Words are two 32-bit lanes. */
export type Effect =
  | { readonly kind: 'memory'; readonly pa: number; readonly low: number; readonly high: number }
  | { readonly kind: 'register'; readonly offset: number; readonly low: number; readonly high: number | undefined }
  /** Software has waited until the SMMU had consumed the commands before this CMDQ_PROD index. */
  | { readonly kind: 'complete'; readonly prod: number }
  /** ATS was switched in the PCI configuration space of a device. */
  | { readonly kind: 'ats'; readonly streamId: number; readonly enabled: boolean };

/** Stands between software and its hardware. */
export interface HardwareTap {
  /** Called once, before anything is written to the memory. */
  watch(memory: PhysicalMemory): void;
  /** The port that software is to use, given the real one. */
  port(port: SmmuPort): SmmuPort;
  /** ATS is switched at a device. */
  ats(streamId: number, enabled: boolean): void;
}

/** Writes down what software does to its hardware, in order. */
export class EffectRecorder implements HardwareTap {
  #effects: Effect[] = [];

  watch(memory: PhysicalMemory): void {
    memory.onWrite((pa) => this.#effects.push({ kind: 'memory', pa, low: memory.low(pa), high: memory.high(pa) }));
  }

  port(port: SmmuPort): SmmuPort {
    return {
      writeRegister: (offset, low, high) => {
        this.#effects.push({ kind: 'register', offset, low, high });
        port.writeRegister(offset, low, high);
      },
      readRegister: (offset) => port.readRegister(offset),
      completeCommands: (prod) => {
        this.#effects.push({ kind: 'complete', prod });
        port.completeCommands(prod);
      },
    };
  }

  ats(streamId: number, enabled: boolean): void {
    this.#effects.push({ kind: 'ats', streamId, enabled });
  }

  /** The effects since the last call. */
  take(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
