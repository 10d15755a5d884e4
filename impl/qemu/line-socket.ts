/**
 * One connection of a line protocol from QEMU: QEMU connects, we listen.
 *
 * Letting QEMU connect means that readiness is an event (the connection), never a poll.
 */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/** A listening endpoint that accepts exactly one connection. */
export class LineSocket {
  readonly #server: Server;
  readonly #onLine: (line: string) => void;
  readonly #arrival: Promise<void>;
  #socket: Socket | undefined;
  #rest = '';

  /**
   * @param path file name of the Unix socket to listen on (at most 107 bytes).
   * @param onLine receives each complete line, without its line end.
   */
  constructor(path: string, onLine: (line: string) => void) {
    this.#onLine = onLine;
    this.#server = createServer();
    this.#arrival = new Promise((resolve) => {
      this.#server.once('connection', (socket) => {
        this.#socket = socket;
        this.#server.close();
        socket.setEncoding('latin1');
        socket.on('data', (chunk: string) => this.#receive(chunk));
        // The end of the process is reported by the process itself; a reset connection adds nothing to it.
        socket.on('error', () => {});
        resolve();
      });
    });
    this.#server.listen(path);
  }

  /** Resolves when QEMU has connected. */
  connected(): Promise<void> {
    return this.#arrival;
  }

  /** Sends text as it is; ignored after the connection is gone. */
  send(text: string): void {
    this.#socket?.write(text, 'latin1');
  }

  /** Closes the connection and the endpoint. */
  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }

  #receive(chunk: string): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf('\n', from);
      if (end < 0) break;
      const line = this.#rest + chunk.slice(from, end);
      this.#rest = '';
      from = end + 1;
      this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    this.#rest += chunk.slice(from);
  }
}
