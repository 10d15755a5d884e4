/**
 * The number of a CPU by its name in a program: "CPU1" is 1.
 *
 * @param cpus how many there are.
 * @throws RangeError naming those there are.
 */
export function cpuNamed(name: string, cpus: number): number {
  const cpu = Array.from({ length: cpus }, (_, at) => `CPU${at}`).indexOf(name);
  if (cpu < 0) throw new RangeError(`this machine has CPU0 to CPU${cpus - 1}, not "${name}"`);
  return cpu;
}
