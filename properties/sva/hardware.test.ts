import { describe, expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { Arm64Context } from '../../impl/kernel/arm64/index.ts';
import { PLAIN, type SvaConfiguration } from './configuration.ts';
import { SVA_HAZARDS } from './hazards/index.ts';
import type { SvaOperation } from './operations.ts';
import { SvaWorld } from './world.ts';

const to = (...processes: readonly number[]): SvaOperation[] => processes.map((process) => ({ op: 'switch', process }));
const munmap: SvaOperation = { op: 'munmap', process: 0, page: 0 };
/** The SMMU hears no broadcast and no device uses a process: of tables, only a CPU may have something. */
const CPUS_ALONE = { ...PLAIN, broadcast: 'absent', running: true } as const;

function run(
  configuration: SvaConfiguration,
  cpus: readonly (readonly SvaOperation[])[],
  parts: ConstructorParameters<typeof SvaWorld>[1] = {},
) {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return search(new SvaWorld(configuration, parts).load({ agents }), { order: 'bfs' });
}

const leafOnly = SVA_HAZARDS.find(({ id }) => id === 'btm-table-leaf-only')?.parts;

describe('a table is not free while a CPU may walk it', () => {
  test.each([
    ['that runs the process', [munmap]],
    ['that runs another process, and comes back without a flush', [...to(1), munmap]],
  ])('%s', (_name, operations) => {
    const machine = { ...CPUS_ALONE, cpus: 1, asids: 3 };
    expect(run(machine, [operations]).verdict).toBe('exhausted');
    const { failure } = run(machine, [operations], leafOnly);
    expect(failure?.rule).toBe('table-free-in-use');
    expect(failure?.data?.['use']).toMatch(/^CPU0/);
  });
});

describe('what a roll-over has left behind on a CPU', () => {
  /** The judge does not know which CPUs are to flush. */
  class Unasked extends Arm64Context {
    override flushIsPending(): boolean {
      return false;
    }
  }

  // CPU0 leaves mm0 for mm1. On CPU1 a generation ends, mm4 gets the ASID that mm0 had, and mm0 another, under which its
  // table is unmapped; CPU0 has walked it under the first, and will flush that before it loads an ASID again.
  const machine = { ...CPUS_ALONE, asids: 4, processes: 5 };
  const cpus = [to(1), [...to(2, 3, 4, 0), munmap]];

  test('does not count, since tlb_flush_pending is set there', () => {
    expect(run(machine, cpus).verdict).toBe('exhausted');
  });

  test('would count if it were not', () => {
    const { failure } = run(machine, cpus, { asidAllocator: Unasked });
    expect(failure?.rule).toBe('table-free-in-use');
    expect(failure?.data?.['use']).toMatch(/^CPU0/);
  });

  test('counts under an ASID that is still loaded there, which no flush precedes', () => {
    const { failure } = run(machine, [[], [...to(1, 2, 3, 4), munmap]], leafOnly);
    expect(failure?.rule).toBe('table-free-in-use');
    expect(failure?.data?.['use']).toMatch(/^CPU0/);
  });
});
