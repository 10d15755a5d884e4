/** Runs a program on a device and checks every answer against the architecture. */
import { QemuGone } from '../../impl/qemu/index.ts';
import { buildCommand, syncCommand } from './commands.ts';
import { compare } from './compare.ts';
import type { AccessAnswer, ConformanceDevice, Part } from './device.ts';
import type { Deviation, PartAnswer, Permitted } from './deviation.ts';
import { storesOf } from './effects.ts';
import { follow } from './follow.ts';
import type { AccessKind, Operation } from './operation.ts';
import { Oracle } from './oracle.ts';
import type { ConformanceProgram } from './program.ts';
import {
  afterOverflowRegisters,
  globalBypass,
  overflowRegisters,
  overflowWrites,
  streamTableRegisters,
} from './set-up.ts';
import { witnessesOf } from './witnesses.ts';
import type { Answered, Witness } from './witnesses.ts';
import { inputAddress, streamIdOf } from './world.ts';

/** What came of a run. */
export interface RunResult {
  /**
   * The deviations, by operation. What a device answers changes neither its memory nor the model, so one does not cause the
   * next.
   */
  readonly deviations: readonly Deviation[];
  /** The device is gone and must be started again. */
  readonly lost: boolean;
  /** Reads and writes checked. */
  readonly accesses: number;
  /** Of these, how many the architecture leaves open. */
  readonly open: number;
  /** Conditions that the program reached. */
  readonly witnesses: ReadonlySet<Witness>;
}

/** An access made, waiting for the answers that come only at the end. */
interface Made {
  readonly operation: number;
  readonly streamId: number;
  readonly address: { readonly low: number; readonly high: number };
  readonly answer: AccessAnswer;
  readonly permitted: Partial<Record<'read' | 'write', readonly Permitted[] | undefined>>;
}

const partsOf = (kind: AccessKind): readonly ('read' | 'write')[] =>
  kind === 'swap' ? ['read', 'write'] : kind === 'read' ? ['read'] : ['write'];

/** Options of a run. */
export interface RunOptions {
  /** Start from a reset of the whole device, not only from invalidated caches. */
  readonly thorough: boolean;
}

/**
 * Runs a program.
 *
 * A deviation does not end the run, except one of the command queue, after which device and model are out of step.
 */
export const runProgram = async (
  program: ConformanceProgram,
  device: ConformanceDevice,
  { thorough }: RunOptions,
): Promise<RunResult> => {
  const run = new Run(program, device);
  try {
    await device.begin(program, thorough);
    await run.execute();
    await device.finish();
  } catch (error) {
    if (!(error instanceof QemuGone)) throw error;
    const result = run.result();
    return { ...result, deviations: [...result.deviations, run.lost(error)], lost: true };
  }
  return run.result();
};

class Run {
  readonly #program: ConformanceProgram;
  readonly #device: ConformanceDevice;
  readonly #oracle: Oracle;
  readonly #made: Made[] = [];
  #commandDeviation: Deviation | undefined;
  #operation = 0;
  #twoLevel: boolean;
  readonly #queueDeviations: Deviation[] = [];

  constructor(program: ConformanceProgram, device: ConformanceDevice) {
    this.#program = program;
    this.#device = device;
    this.#oracle = new Oracle(program, device.features);
    this.#twoLevel = program.configuration.twoLevelStreams;
  }

  async execute(): Promise<void> {
    for (const [index, operation] of this.#program.operations.entries()) {
      this.#operation = index;
      await this.#perform(operation);
      // The queues of device and model are no longer in step.
      if (this.#commandDeviation !== undefined) return;
    }
  }

  result(): RunResult {
    const deviations: Deviation[] = [...this.#queueDeviations];
    const answers: Answered[] = [];
    let open = 0;
    for (const made of this.#made)
      for (const { part, answer } of answersOf(made)) {
        const permitted = made.permitted[part];
        if (permitted === undefined) open++;
        answers.push({ operation: made.operation, part, answer, choices: permitted?.length ?? 0 });
        const deviation = compare(made.operation, { part, ...made }, answer, permitted);
        if (deviation !== undefined) deviations.push(deviation);
      }
    return {
      deviations: this.#commandDeviation === undefined ? deviations : [...deviations, this.#commandDeviation],
      lost: false,
      accesses: answers.length,
      open,
      witnesses: witnessesOf(this.#program, answers),
    };
  }

  /** The deviation of a device that died or hung during the current operation. */
  lost({ ending }: QemuGone): Deviation {
    const how = ending.kind === 'crash' ? `died of ${ending.signal}` : ending.kind === 'hang' ? 'hung' : 'exited';
    return {
      operation: this.#operation,
      part: 'device',
      difference: 'device-lost',
      // Line numbers and addresses differ between builds and runs; the words of the message do not.
      found: `${ending.kind} ${ending.message.replace(/\b(0x[0-9a-f]+|\d+)\b/g, '#')}`,
      expected: [],
      answer: `the device ${how}: ${ending.message}`,
      permitted: ['any answer'],
      ending,
    };
  }

  /** The device first, then the model: what the model permits to an access depends on what came before it. */
  async #perform(operation: Operation): Promise<void> {
    if (operation.kind === 'access') await this.#access(operation);
    else if (operation.kind === 'command') await this.#command(operation);
    else if (operation.kind === 'overflow') await this.#overflow(operation.stream);
    else if (operation.kind === 'stream-format') await this.#streamFormat(operation.twoLevel);
    else if (operation.kind === 'enable') {
      this.#device.writeRegister(...globalBypass(operation.abort === true));
      await this.#device.enable(operation.on);
    } else
      for (const { pa, low, high } of storesOf(this.#program.configuration, operation))
        this.#device.store(pa, low, high);
    follow(this.#oracle, this.#program.configuration, operation);
  }

  async #invalidateConfiguration(): Promise<void> {
    await this.#command({ kind: 'command', command: { opcode: 'CFGI_ALL' }, sync: true });
  }

  async #streamFormat(twoLevel: boolean): Promise<void> {
    this.#twoLevel = twoLevel;
    await this.#device.enable(false);
    for (const write of streamTableRegisters(this.#program.configuration, twoLevel))
      this.#device.writeRegister(...write);
    await this.#invalidateConfiguration();
    await this.#device.enable(true);
  }

  async #overflow(stream: number): Promise<void> {
    const { configuration } = this.#program;
    await this.#device.enable(false);
    for (const write of overflowRegisters()) this.#device.writeRegister(...write);
    await this.#invalidateConfiguration();
    const answer = await this.#device.overflow(configuration.devices[stream] as number, overflowWrites);
    for (const write of afterOverflowRegisters(configuration, this.#twoLevel)) this.#device.writeRegister(...write);
    this.#device.resetEvents();
    await this.#invalidateConfiguration();
    await this.#device.enable(true);
    const { records, overflow, abort } = answer;
    if (records === overflowWrites - 1 && overflow && !abort) return;
    this.#queueDeviations.push({
      operation: this.#operation,
      part: 'device',
      difference: 'event-queue',
      found: `${overflow ? 'overflow' : 'no overflow'}, ${abort ? 'abort' : 'no abort'}`,
      expected: [],
      answer: `${records} records, OVFLG ${overflow ? 'toggled' : 'unchanged'}, GERROR.EVENTQ_ABT_ERR ${abort ? 'toggled' : 'unchanged'}`,
      permitted: [`${overflowWrites - 1} records, OVFLG toggled, GERROR.EVENTQ_ABT_ERR unchanged`],
    });
  }

  async #access(operation: Extract<Operation, { kind: 'access' }>): Promise<void> {
    const { configuration } = this.#program;
    const device = configuration.devices[operation.stream] as number;
    const streamId = streamIdOf(device);
    const address = inputAddress(configuration, operation);
    const permitted: Made['permitted'] = {};
    for (const part of partsOf(operation.access)) permitted[part] = this.#oracle.permitted(streamId, address, part);
    const likely = (permitted.write ?? []).flatMap((one) => (one.kind === 'memory' ? [one.pa] : []));
    const answer = await this.#device.access(device, operation.access, address, likely);
    this.#made.push({ operation: this.#operation, streamId, address, answer, permitted });
  }

  async #command({ command, sync }: Extract<Operation, { kind: 'command' }>): Promise<void> {
    const lanes = buildCommand(this.#program.configuration, command);
    const illegal = this.#oracle.isIllegal(lanes);
    const { consumed, error } = await this.#device.command(sync ? [lanes, syncCommand()] : [lanes]);
    const deviate = (difference: 'command-accepted' | 'command-rejected', answer: string, permitted: string): void => {
      this.#commandDeviation = {
        operation: this.#operation,
        part: 'command',
        difference,
        found: command.opcode,
        expected: [permitted],
        answer,
        permitted: [permitted],
      };
    };
    if (illegal && error !== 1)
      deviate('command-accepted', 'the command was carried out', 'CERROR_ILL stops the queue');
    else if (!illegal && (error !== 0 || !consumed))
      deviate('command-rejected', `the queue stopped with error ${error}`, 'the command is carried out');
  }
}

/**
 * Splits the answer to an access into its parts, each with the events of its direction. Events other than those of a
 * translation do not say their direction: of two the first came with the read, and one cannot have come with a write
 * that went through.
 */
const answersOf = ({ answer, permitted }: Made): { part: 'read' | 'write'; answer: PartAnswer }[] => {
  const parts = (['read', 'write'] as const).filter((part) => part in permitted);
  const part = (name: 'read' | 'write'): Part => answer[name] ?? { kind: 'unobserved' };
  if (parts.length === 1)
    return parts.map((name) => ({ part: name, answer: { part: part(name), events: answer.events } }));
  const [first, ...rest] = answer.events;
  if (first === undefined || !(first.RnW === 1 || rest.length > 0 || part('write').kind === 'memory'))
    return [
      { part: 'read', answer: { part: part('read'), events: [] } },
      { part: 'write', answer: { part: part('write'), events: answer.events } },
    ];
  // The value of a read whose write was refused is lost, but its event says that it was refused.
  const read = part('read');
  return [
    { part: 'read', answer: { part: read.kind === 'unobserved' ? { kind: 'refused' } : read, events: [first] } },
    { part: 'write', answer: { part: part('write'), events: rest } },
  ];
};
