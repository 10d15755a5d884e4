/**
 * Everything that must not outlive this process: child processes and temporary files.
 *
 * Three nets lie under each other. Files are unlinked as soon as QEMU has opened them (see `process.ts`), so nothing
 * is left even by a `SIGKILL`. Children are started under `setpriv --pdeathsig` where it exists, so the kernel ends
 * them with us. And this registry ends both on `exit` (which also covers uncaught exceptions and rejections) and on
 * the signals whose default action would skip `exit`.
 */
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';

const children = new Set<ChildProcess>();
const paths = new Set<string>();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let armed = false;

/** Ends every registered child (SIGKILL: QEMU has nothing to save) and removes every registered path. */
export const releaseEverything = (): void => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  for (const path of paths) rmSync(path, { recursive: true, force: true });
  paths.clear();
};

/**
 * On a signal: if a program handles it too, the program decides when to stop and its own exit releases everything;
 * else release now and die of the same signal, so that the parent sees the usual exit status.
 */
const onSignal = (signal: NodeJS.Signals): void => {
  if (process.listenerCount(signal) > 1) return;
  releaseEverything();
  disarm();
  process.kill(process.pid, signal);
};

const arm = (): void => {
  if (armed) return;
  armed = true;
  process.on('exit', releaseEverything);
  for (const signal of signals) process.on(signal, onSignal);
};

const disarm = (): void => {
  if (!armed) return;
  armed = false;
  process.removeListener('exit', releaseEverything);
  for (const signal of signals) process.removeListener(signal, onSignal);
};

const disarmIfIdle = (): void => {
  if (children.size === 0 && paths.size === 0) disarm();
};

/** Registers a child; it is forgotten by itself when it exits. */
export const holdChild = (child: ChildProcess): void => {
  arm();
  children.add(child);
  child.once('exit', () => {
    children.delete(child);
    disarmIfIdle();
  });
};

/** Registers a file or folder for removal. */
export const holdPath = (path: string): void => {
  arm();
  paths.add(path);
};

/** Removes a registered path now. */
export const releasePath = (path: string): void => {
  rmSync(path, { recursive: true, force: true });
  paths.delete(path);
  disarmIfIdle();
};
