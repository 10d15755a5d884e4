import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { asidWorlds } from './sections/asid-worlds.ts';
import { deviceCaches, RESIDENT } from './sections/device-caches.ts';
import { deviceInvalidations, deviceTranslations } from './sections/device.ts';
import { deviceBesideQemu } from './sections/device-qemu.ts';
import { exhaustive } from './sections/exhaustive.ts';
import { firstBug } from './sections/first-bug.ts';
import { memory } from './sections/memory.ts';
import { randomRuns } from './sections/random.ts';
import { timeToBug } from './sections/strategies.ts';
import { threads } from './sections/threads.ts';
import { traces } from './sections/traces.ts';

/** What can be measured, in the order in which it is. */
const SECTIONS: Readonly<Record<string, (rounds: number, seconds: number) => AsyncGenerator<string>>> = {
  async *random(rounds, seconds) {
    for (const size of ['S', 'M', 'L'] as const) yield await randomRuns(size, rounds, seconds);
  },
  async *search(rounds) {
    for (const size of ['S', 'M', 'L'] as const) {
      const { text, agree } = await exhaustive(size, rounds);
      yield text;
      if (!agree) process.exitCode = 1;
    }
  },
  async *threads(rounds) {
    const { text, agree } = threads(rounds);
    yield text;
    if (!agree) process.exitCode = 1;
  },
  async *bug(rounds) {
    for (const size of ['S', 'M', 'L'] as const) yield await firstBug(size, rounds);
  },
  async *strategies(rounds, seconds) {
    yield await timeToBug(rounds, seconds);
  },
  async *traces(rounds) {
    const { text, agree } = traces(rounds);
    yield text;
    if (!agree) process.exitCode = 1;
  },
  async *memory() {
    yield memory();
  },
  async *asid(rounds, seconds) {
    yield await asidWorlds(rounds, seconds);
  },
  async *tlb(rounds, seconds) {
    for (const resident of RESIDENT) yield await deviceCaches(resident, rounds, seconds);
  },
  async *device(rounds, seconds) {
    yield await deviceTranslations(rounds, seconds);
    for (const resident of RESIDENT) yield await deviceInvalidations(resident, rounds, seconds);
    yield await deviceBesideQemu(rounds, seconds);
  },
};

/** Benchmarks side by side in one run: `npm run bench -- [--rounds N] [--seconds S] [--only SECTION,…]`. */
async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '0.5' },
      only: { type: 'string', default: Object.keys(SECTIONS).join(',') },
    },
  });
  const rounds = positive('rounds', options.rounds);
  const seconds = positive('seconds', options.seconds);
  const chosen = options.only.split(',');
  for (const name of chosen)
    if (SECTIONS[name] === undefined)
      usage(`--only must name some of ${Object.keys(SECTIONS).join(', ')}, not "${name}"`);

  print(
    `Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}; ${rounds} rounds, contenders in turn, best of them\n`,
  );
  for (const name of chosen) for await (const text of SECTIONS[name]?.(rounds, seconds) ?? []) print(`${text}\n`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && (name !== 'rounds' || Number.isInteger(value))) return value;
  return usage(`--${name} must be a positive number, not "${text}"`);
}

function usage(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

await main();
