/** Says whether the live QEMU target can be used on this machine and, if not, what is missing and how to get it. */
import { findQemuArm, qemuArmName, qemuVersion } from './binary.ts';
import type { QemuVersion } from './binary.ts';
import { QemuGone } from './ending.ts';
import { QemuMachine } from './machine.ts';
import { pciIdentity } from './pci.ts';
import { virtDevices, virtMap } from './virt.ts';
import { extract, IDR0, REGISTER } from '../../model/architecture/arm/layout/index.ts';

/** One thing that was looked at. */
export interface QemuCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or what is wrong; one sentence. */
  readonly detail: string;
}

/** The result of the probe. */
export interface QemuDoctor {
  readonly usable: boolean;
  readonly version: QemuVersion | undefined;
  readonly checks: readonly QemuCheck[];
  /** Shell commands (Debian 12, root) that install what is missing; empty if nothing is. */
  readonly remedy: readonly string[];
}

/**
 * Installs QEMU 10.0 from Debian's backports, whatever mirror the machine uses. Debian 12's own QEMU 7.2 works too, with
 * an SMMU that has stage 1 only.
 */
export const installQemu: readonly string[] = [
  "awk -v RS= '/bookworm-updates/' /etc/apt/sources.list.d/debian.sources | sed 's/^Suites: .*/Suites: bookworm-backports/' > /etc/apt/sources.list.d/backports.sources",
  'apt-get update',
  'apt-get install -y --no-install-recommends -t bookworm-backports qemu-system-arm qemu-system-x86',
];

const rockerIdentity = 0x0006_1b36;
const eduIdentity = 0x11e8_1234;
const scratch = 0x4100_0000;

/** Looks for the binary, starts it, and has its SMMU and its DMA devices do something. Takes a fraction of a second. */
export const examineQemu = async (): Promise<QemuDoctor> => {
  const checks: QemuCheck[] = [];
  const check = (name: string, ok: boolean, detail: string): boolean => {
    checks.push({ name, ok, detail });
    return ok;
  };
  const name = qemuArmName();
  const binary = findQemuArm();
  if (!check('binary', binary !== undefined, binary ?? `${name} is not on PATH (QEMU_ARM chooses another binary).`))
    return { usable: false, version: undefined, checks, remedy: installQemu };
  const version = qemuVersion(binary as string);
  if (!check('version', version !== undefined, version?.text ?? `${binary} --version does not answer like QEMU.`))
    return { usable: false, version, checks, remedy: installQemu };
  let machine: QemuMachine | undefined;
  try {
    machine = await QemuMachine.start({
      ramBytes: 64 * 2 ** 20,
      commandQueue: { base: 0x4010_0000, log2Entries: 5 },
      eventQueue: { base: 0x4020_0000, log2Entries: 5 },
    });
    check('qtest', true, 'the machine starts and answers over qtest and QMP.');
    await examineMachine(machine, check);
  } catch (error) {
    check('qtest', false, error instanceof QemuGone ? error.ending.message : String(error));
  } finally {
    await machine?.stop();
  }
  const usable = checks.every(({ ok }) => ok);
  return { usable, version, checks, remedy: usable ? [] : installQemu };
};

const examineMachine = async (
  machine: QemuMachine,
  check: (name: string, ok: boolean, detail: string) => boolean,
): Promise<void> => {
  const idr0 = await machine.smmu.readRegister(REGISTER.IDR0);
  const stages = [
    extract(IDR0.fields.S1P, idr0, 0) === 1 ? 'stage 1' : '',
    extract(IDR0.fields.S2P, idr0, 0) === 1 ? 'stage 2' : '',
  ];
  const found = stages.filter((stage) => stage !== '').join(' and ');
  check('SMMUv3', found !== '', found === '' ? `IDR0 reads 0x${idr0.toString(16)}.` : `translates ${found}.`);
  for (const { name, kind, bus, slot } of virtDevices) {
    const identity = await pciIdentity(machine.process.qtest, virtMap.ecam, { bus, slot });
    check(
      name,
      identity === (kind === 'rocker' ? rockerIdentity : eduIdentity),
      `PCI identity 0x${identity.toString(16)}.`,
    );
  }
  const [rocker] = machine.devices;
  if (rocker?.kind !== 'rocker') return;
  machine.ram.write32(scratch, 0);
  rocker.rocker.run(2, scratch, 0);
  await machine.settle();
  const written = machine.ram.read32(scratch) >>> 0;
  check(
    'DMA',
    written === 0x9696_9696,
    `a write by rocker is ${written === 0x9696_9696 ? '' : 'not '}seen in the shared memory.`,
  );
};
