/** Finds the QEMU binary and its version. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { spawnSync } from 'node:child_process';

/** A program's full name on PATH, or undefined. */
export const findOnPath = (name: string): string | undefined => {
  if (name.includes('/')) return isExecutable(name) ? name : undefined;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(folder, name);
    if (folder !== '' && isExecutable(candidate)) return candidate;
  }
  return undefined;
};

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The name asked for: `QEMU_ARM` if set, else `qemu-system-aarch64`. */
export const qemuArmName = (): string => {
  const chosen = process.env['QEMU_ARM'];
  return chosen === undefined || chosen === '' ? 'qemu-system-aarch64' : chosen;
};

/** Full name of the QEMU for Arm, or undefined if there is none. */
export const findQemuArm = (): string | undefined => findOnPath(qemuArmName());

/** A version of QEMU: the numbers, and the line that QEMU prints about itself. */
export interface QemuVersion {
  readonly major: number;
  readonly minor: number;
  readonly text: string;
}

/** Asks a binary for its version; undefined if it does not run or does not answer like QEMU. */
export const qemuVersion = (binary: string): QemuVersion | undefined => {
  const { status, stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  const match = status === 0 ? /version (\d+)\.(\d+)\S*/.exec(stdout) : null;
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), text: stdout.split('\n')[0] ?? '' };
};
