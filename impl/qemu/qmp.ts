/**
 * Client of QEMU's machine protocol (QMP), for the few things qtest cannot do: reset the machine, switch trace events.
 */
import { LineSocket } from './line-socket.ts';
import { QemuGone } from './ending.ts';
import type { QemuEnding } from './ending.ts';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Message {
  readonly QMP?: unknown;
  readonly event?: string;
  readonly return?: unknown;
  readonly error?: { readonly desc?: string };
}

/** One QMP connection. Commands are answered in order. */
export class QmpClient {
  readonly #socket: LineSocket;
  #commands: Waiting[] = [];
  #events: { readonly name: string; readonly waiting: Waiting }[] = [];
  #failure: Error | undefined;
  /** Messages received so far; a watchdog compares it over time. */
  replies = 0;

  /** @param path Unix socket on which QEMU's `-chardev socket,path=PATH` will connect. */
  constructor(path: string) {
    this.#socket = new LineSocket(path, (line) => this.#message(JSON.parse(line) as Message));
  }

  /** Resolves when QEMU has connected and command mode is on. */
  async connected(): Promise<void> {
    await this.#socket.connected();
    await this.execute('qmp_capabilities');
  }

  /**
   * Runs a command.
   *
   * @throws QemuGone if the process ended; Error with QEMU's description if the command failed.
   */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#commands.push({ resolve, reject });
      this.#socket.send(
        `${JSON.stringify(args === undefined ? { execute: command } : { execute: command, arguments: args })}\n`,
      );
    });
  }

  /** Resolves at the next event of that name. */
  event(name: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure === undefined) this.#events.push({ name, waiting: { resolve, reject } });
      else reject(this.#failure);
    });
  }

  /** Whether an answer or an event is owed. */
  get waiting(): boolean {
    return this.#commands.length > 0 || this.#events.length > 0;
  }

  /** Fails everything that is waiting and all later commands: the process has ended. */
  fail(ending: QemuEnding): void {
    const failure = new QemuGone(ending);
    this.#failure = failure;
    for (const waiting of this.#commands) waiting.reject(failure);
    for (const { waiting } of this.#events) waiting.reject(failure);
    this.#commands = [];
    this.#events = [];
    this.#socket.close();
  }

  #message(message: Message): void {
    this.replies++;
    if (message.QMP !== undefined) return;
    if (message.event !== undefined) {
      for (const { name, waiting } of this.#events) if (name === message.event) waiting.resolve(message);
      this.#events = this.#events.filter(({ name }) => name !== message.event);
      return;
    }
    const waiting = this.#commands.shift();
    if (message.error === undefined) waiting?.resolve(message.return);
    else waiting?.reject(new Error(`QMP command failed: ${message.error.desc ?? 'no description'}`));
  }
}
