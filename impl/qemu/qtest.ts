/**
 * Client of the qtest protocol: one request line, one reply line, strictly in order.
 *
 * Because replies come in order, requests may be sent without waiting: lines are collected and sent in one write at
 * `flush`, and only a reply that somebody asked for has a promise. Writes are fire and forget; their replies are
 * counted, and an error reply to any of them fails the next awaited request.
 */
import { LineSocket } from './line-socket.ts';
import { QemuGone } from './ending.ts';
import type { QemuEnding } from './ending.ts';

interface Waiting {
  readonly resolve: (reply: string) => void;
  readonly reject: (error: Error) => void;
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Reads and writes of the guest's physical address space, as the first CPU sees it (never translated by an IOMMU). */
export class QtestClient {
  readonly #socket: LineSocket;
  /** One entry for each line sent: who waits for its reply, or undefined for a write. */
  readonly #expected: (Waiting | undefined)[] = [];
  #head = 0;
  #outgoing = '';
  #failure: Error | undefined;
  /** Replies received so far; a watchdog compares it over time. */
  replies = 0;

  /** @param path Unix socket on which QEMU's `-qtest unix:PATH` will connect. */
  constructor(path: string) {
    this.#socket = new LineSocket(path, (line) => this.#reply(line));
  }

  /** Resolves when QEMU has connected. */
  connected(): Promise<void> {
    return this.#socket.connected();
  }

  /** Writes 32 bits; queued until the next `flush` or awaited request. */
  writel(address: number, value: number): void {
    this.#queue(`writel ${hex(address)} ${hex(value >>> 0)}\n`, undefined);
  }

  /** Writes 64 bits, given as two lanes; queued. */
  writeq(address: number, low: number, high: number): void {
    const value =
      high === 0 ? hex(low >>> 0) : `0x${(high >>> 0).toString(16)}${(low >>> 0).toString(16).padStart(8, '0')}`;
    this.#queue(`writeq ${hex(address)} ${value}\n`, undefined);
  }

  /** Reads 32 bits. The reply also says that everything queued before has been carried out. */
  async readl(address: number): Promise<number> {
    return Number(await this.request(`readl ${hex(address)}`));
  }

  /** Reads 64 bits. */
  async readq(address: number): Promise<bigint> {
    return BigInt(await this.request(`readq ${hex(address)}`));
  }

  /**
   * Sends any request line and waits for its reply.
   *
   * @returns what follows `OK` in the reply.
   * @throws QemuGone if the process ended or was ended before it replied; Error if QEMU refused a request.
   */
  request(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#queue(`${line}\n`, { resolve, reject });
      this.flush();
    });
  }

  /** Sends what is queued. */
  flush(): void {
    if (this.#outgoing === '') return;
    const text = this.#outgoing;
    this.#outgoing = '';
    this.#socket.send(text);
  }

  /** Whether replies are owed for lines that have been sent. */
  get waiting(): boolean {
    return this.#expected.length > 0 && this.#outgoing === '';
  }

  /** Fails everything that is waiting and all later requests: the process has ended. */
  fail(ending: QemuEnding): void {
    this.#failure = new QemuGone(ending);
    for (let at = this.#head; at < this.#expected.length; at++) this.#expected[at]?.reject(this.#failure);
    this.#expected.length = 0;
    this.#head = 0;
    this.#outgoing = '';
    this.#socket.close();
  }

  #queue(line: string, waiting: Waiting | undefined): void {
    if (this.#failure !== undefined) return;
    this.#outgoing += line;
    this.#expected.push(waiting);
  }

  #reply(line: string): void {
    this.replies++;
    const waiting = this.#expected[this.#head++];
    if (this.#head === this.#expected.length) {
      this.#expected.length = 0;
      this.#head = 0;
    } else if (this.#head > 4096) {
      this.#expected.splice(0, this.#head);
      this.#head = 0;
    }
    if (line.startsWith('OK')) waiting?.resolve(line.slice(3));
    else if (waiting === undefined) this.#failure ??= new Error(`qtest refused a write: ${line}`);
    else waiting.reject(new Error(`qtest refused a request: ${line}`));
  }
}
