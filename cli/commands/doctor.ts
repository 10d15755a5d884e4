import { examineQemu } from '../../impl/qemu/index.ts';
import { paint } from '../../traces/report/paint.ts';
import type { Context } from '../context.ts';
import { exitCode, type ExitCode } from '../exit.ts';

/** Says which targets can be used on this machine, and how to get the others. */
export async function doctorCommand({ terminal, families }: Context): Promise<ExitCode> {
  const inks = paint(terminal.colour);
  terminal.print(`${inks.good('✓')} architecture   built in; families: ${families.map(({ name }) => name).join(', ')}`);
  const qemu = await examineQemu();
  const mark = qemu.usable ? inks.good('✓') : inks.bad('✗');
  terminal.print(`${mark} qemu-smmuv3    ${qemu.usable ? (qemu.version?.text ?? '') : 'cannot be used here'}`);
  for (const { name, ok, detail } of qemu.checks)
    terminal.print(`    ${ok ? inks.good('✓') : inks.bad('✗')} ${name.padEnd(10)} ${detail}`);
  if (qemu.remedy.length > 0) {
    terminal.print('  To install it (Debian 12, as root):');
    for (const line of qemu.remedy) terminal.print(`    ${line}`);
  }
  terminal.event({ event: 'doctor', architecture: true, qemu });
  return exitCode.holds;
}
