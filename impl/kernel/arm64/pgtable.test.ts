import { expect, test } from 'vitest';
import { runToCompletion } from '../../../engine/complete.ts';
import { Machine } from '../../../engine/machine.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { PhysicalMemory } from '../../platform/index.ts';
import { asid2ctxid, Arm64Mm, Arm64Pgtable, Arm64Tlbflush, showTlbi, type Arm64Cpu } from './index.ts';

const PAGE = 0x1000;
const PGD = 0x1000_0000;
const TABLE = PGD + PAGE;
const PA = 0x2000_0000;
const RANGE = { start: 0, end: 3 * PAGE };

/** A process with tables of one level or two, and all that happens to it, in one list. */
class Lab {
  readonly log: string[] = [];
  readonly memory: PhysicalMemory;
  readonly mm: Arm64Mm;
  readonly pgtable: Arm64Pgtable;
  lives = true;

  constructor(levels: 1 | 2) {
    const machine = new Machine();
    const { log } = this;
    this.memory = new PhysicalMemory(machine.store, [{ base: PGD, frames: 2 }]);
    const cpu: Arm64Cpu = {
      writeTtbr0: () => undefined,
      writeAsid: () => undefined,
      clearTtbr0: () => undefined,
      tlbi: (_on, instruction, broadcast) => void log.push(showTlbi(instruction, broadcast)),
      dsbNsh: () => undefined,
      dsbIsh: () => void log.push('DSB ISH'),
    };
    const owner = {
      unmapping: (_mm: Arm64Mm, va: number) => void log.push(`clear ${va / PAGE}`),
      freed: (_mm: Arm64Mm, va: number) => void log.push(`free ${va / PAGE}`),
      mapping: (_mm: Arm64Mm, va: number) => PA + va,
      hasVma: () => this.lives,
      allocTable: () => TABLE,
      tableFreed: () => void log.push('free table'),
    };
    const note = (what: string): Step<undefined> => step(what, () => void log.push(what));
    const notifier = {
      *invalidate_range(_cpu: number, _mm: unknown, start: number, end: number): Task {
        yield* note(`notify ${start / PAGE} to ${end / PAGE}`);
      },
      *release(): Task {
        yield* note('release');
      },
    };
    this.mm = new Arm64Mm(machine, 'mm', PGD);
    this.mm.id.value = asid2ctxid(1, 1);
    this.pgtable = new Arm64Pgtable(this.memory, new Arm64Tlbflush(machine, cpu), owner, { levels, notifier });
  }

  /** What came of a task, and what happened. */
  run(task: Task<boolean | void>): (string | boolean | undefined)[] {
    this.log.length = 0;
    let result: boolean | undefined;
    const all = function* (): Task {
      result = (yield* task) ?? undefined;
    };
    runToCompletion(all());
    return [result, ...this.log];
  }
}

test.each([1, 2] as const)('a page is mapped once, with %i levels', (levels) => {
  const lab = new Lab(levels);
  expect(lab.run(lab.pgtable.map(lab.mm, PAGE))[0]).toBe(true);
  const at = (levels === 1 ? PGD : TABLE) + 8;
  expect((lab.memory.low(at) & ~0xfff) >>> 0).toBe(PA + PAGE);
  expect(lab.run(lab.pgtable.map(lab.mm, PAGE))[0]).toBe(false);
  lab.lives = false;
  expect(lab.run(lab.pgtable.map(lab.mm, 0))[0]).toBe(false);
});

test('a page is cleared, flushed, told of, and free, in this order', () => {
  const lab = new Lab(1);
  lab.run(lab.pgtable.map(lab.mm, PAGE));
  const log = ['clear 1', 'VALE1IS 0x1000, ASID 1', 'DSB ISH', 'notify 1 to 2', 'free 1'];
  expect(lab.run(lab.pgtable.unmap(0, lab.mm, PAGE))).toEqual([true, ...log]);
  expect(lab.memory.low(PGD + 8)).toBe(0);
  expect(lab.run(lab.pgtable.unmap(0, lab.mm, PAGE))).toEqual([false]);
});

test('of a region all that is mapped goes, by last-level entries where no table does', () => {
  const lab = new Lab(1);
  for (const page of [0, 2]) lab.run(lab.pgtable.map(lab.mm, page * PAGE));
  const done = lab.run(lab.pgtable.unmap_region(0, lab.mm, RANGE, true));
  expect(done.filter((line) => /clear|free|notify/.test(String(line)))).toEqual([
    'clear 0',
    'clear 2',
    'notify 0 to 3',
    'free 0',
    'free 2',
  ]);
  expect(done.filter((line) => String(line).startsWith('V'))).toEqual(
    [0, 1, 2].map((page) => `VALE1IS 0x${(page * PAGE).toString(16)}, ASID 1`),
  );
  expect(lab.run(lab.pgtable.unmap_region(0, lab.mm, RANGE, true))).toEqual([undefined]);
});

test('with the table its entries go, too', () => {
  const lab = new Lab(2);
  lab.run(lab.pgtable.map(lab.mm, PAGE));
  const kept = lab.run(lab.pgtable.unmap_region(0, lab.mm, RANGE, false));
  expect(kept).not.toContain('free table');
  expect(kept).toContain('VALE1IS 0x1000, ASID 1');
  lab.run(lab.pgtable.map(lab.mm, PAGE));
  const gone = lab.run(lab.pgtable.unmap_region(0, lab.mm, RANGE, true));
  expect(gone).toContain('VAE1IS 0x1000, ASID 1');
  expect(gone.at(-1)).toBe('free table');
  expect(lab.memory.low(PGD)).toBe(0);
});

test('at the end devices are told first, and TLBs are flushed for the table alone', () => {
  const flat = new Lab(1);
  flat.run(flat.pgtable.map(flat.mm, PAGE));
  expect(flat.run(flat.pgtable.exit_mmap(0, flat.mm, RANGE))).toEqual([undefined, 'release', 'clear 1', 'free 1']);
  const deep = new Lab(2);
  deep.run(deep.pgtable.map(deep.mm, PAGE));
  const flush = ['ASIDE1IS ASID 1', 'DSB ISH'];
  expect(deep.run(deep.pgtable.exit_mmap(0, deep.mm, RANGE)).slice(1)).toEqual(
    expect.arrayContaining(['release', ...flush, 'free table']),
  );
});
