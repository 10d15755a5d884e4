/**
 * One QEMU process: started with its sockets and its RAM file, ended without a trace, and its end explained.
 *
 * The accelerator is TCG with instruction counting and an idle guest: while the virtual CPU waits for an interrupt the
 * virtual clock jumps to the next timer, so a device timer (edu's DMA takes 100 ms of virtual time) fires at once.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOnPath } from './binary.ts';
import { holdChild, holdPath, releasePath } from './children.ts';
import { lastLine, QemuGone } from './ending.ts';
import type { QemuEnding } from './ending.ts';
import { QmpClient } from './qmp.ts';
import { QtestClient } from './qtest.ts';
import { GuestRam } from './ram.ts';

/** What a QEMU process is started with. */
export interface QemuOptions {
  /** Full name of the binary. */
  readonly binary: string;
  /** Machine, CPU and devices: everything but sockets, RAM and firmware. `-m` is derived from the RAM. */
  readonly machine: readonly string[];
  /** Physical address and size of the RAM, bytes. */
  readonly ram: { readonly base: number; readonly size: number };
  /** Firmware image: the idle loop of the virtual CPU. */
  readonly firmware: Uint8Array;
  /** Milliseconds without an answer after which the process is taken for hung and ended. */
  readonly millisecondsMax: number;
}

/** A running QEMU. */
export class QemuProcess {
  readonly qtest: QtestClient;
  readonly qmp: QmpClient;
  readonly ram: GuestRam;
  /** How it ended, once it has. */
  ending: QemuEnding | undefined;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #millisecondsMax: number;
  readonly #ended: Promise<void>;
  #stderr = '';
  readonly #watchdog: NodeJS.Timeout;

  /** Starts a process and waits until both of its protocols answer. */
  static async start(options: QemuOptions): Promise<QemuProcess> {
    const qemu = new QemuProcess(options);
    try {
      // A start that fails (bad options, no such binary) never connects; its end is then what there is to wait for.
      const failed = qemu.#ended.then(() => Promise.reject(new QemuGone(qemu.ending as QemuEnding)));
      await Promise.race([Promise.all([qemu.qtest.connected(), qemu.qmp.connected()]), failed]);
    } catch (error) {
      await qemu.stop();
      throw error;
    }
    // Both sides hold what they need; nothing is left on disk from here on, however either process ends.
    releasePath(qemu.#folder);
    qemu.ram.unlink();
    return qemu;
  }

  private constructor(options: QemuOptions) {
    this.#millisecondsMax = options.millisecondsMax;
    this.#folder = mkdtempSync(join(tmpdir(), 'stalemate-qemu-'));
    holdPath(this.#folder);
    const path = (name: string): string => join(this.#folder, name);
    writeFileSync(path('idle.bin'), options.firmware);
    this.ram = new GuestRam(options.ram.base, options.ram.size);
    this.qtest = new QtestClient(path('qtest'));
    this.qmp = new QmpClient(path('qmp'));
    const args = [
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      '-no-shutdown',
      '-accel',
      'tcg',
      '-icount',
      'shift=0,sleep=off',
      '-bios',
      path('idle.bin'),
      '-qtest',
      `unix:${path('qtest')}`,
      '-qtest-log',
      'none',
      '-chardev',
      `socket,id=mon0,path=${path('qmp')}`,
      '-mon',
      'chardev=mon0,mode=control',
      '-m',
      `${options.ram.size / 2 ** 20}M`,
      '-object',
      `memory-backend-file,id=ram0,size=${options.ram.size},mem-path=${this.ram.path},share=on`,
      ...options.machine,
    ];
    const leash = findOnPath('setpriv');
    const command = leash === undefined ? [options.binary] : [leash, '--pdeathsig', 'KILL', '--', options.binary];
    this.#child = spawn(command[0] as string, [...command.slice(1), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    holdChild(this.#child);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-65_536);
    });
    this.#watchdog = this.#watch();
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#end({ kind: 'exit', code: -1, message: error.message });
        resolve();
      });
      // 'close' comes after the last of standard error has been read, so the message is complete.
      this.#child.once('close', (code, signal) => {
        this.#end(this.#describe(code, signal));
        resolve();
      });
    });
  }

  /** Process id, undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Declares the process hung and ends it: everything waiting is rejected with a `hang`.
   *
   * @param message what it did not do.
   */
  declareHung(message: string): void {
    this.#end({ kind: 'hang', millisecondsMax: this.#millisecondsMax, message });
    this.#child.kill('SIGKILL');
  }

  /** Ends the process and releases everything; safe to call more than once and after a crash. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    releasePath(this.#folder);
    this.ram.close();
  }

  /**
   * One timer for the whole life of the process instead of one for each request: the process is hung when it owes a
   * reply and none has come between several ticks in a row (several, because our own process may have been suspended).
   */
  #watch(): NodeJS.Timeout {
    const ticksMax = 5;
    let seen = 0;
    let ticks = 0;
    return setInterval(() => {
      const replies = this.qtest.replies + this.qmp.replies;
      const starting = replies === 0;
      const idle = replies === seen && (starting || this.qtest.waiting || this.qmp.waiting);
      seen = replies;
      ticks = idle ? ticks + 1 : 0;
      if (ticks >= ticksMax) this.declareHung(`no answer within ${this.#millisecondsMax} ms`);
    }, this.#millisecondsMax / ticksMax).unref();
  }

  #describe(code: number | null, signal: NodeJS.Signals | null): QemuEnding {
    const message = lastLine(this.#stderr);
    if (signal !== null) return { kind: 'crash', signal, message };
    return { kind: 'exit', code: code ?? -1, message };
  }

  #end(ending: QemuEnding): void {
    if (this.ending !== undefined) return;
    this.ending = ending;
    clearInterval(this.#watchdog);
    this.qtest.fail(ending);
    this.qmp.fail(ending);
  }
}
