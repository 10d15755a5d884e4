/** Allocations that fail: the correct kernel undoes what it has begun, and one that forgets to is caught. */
import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { ArmSmmuSva, DmaIommu, sharedOwner, type Domain, type KernelParts, type Mm } from '../../impl/kernel/index.ts';
import type { Permissions } from '../../model/contract/events.ts';
import { asid } from './index.ts';
import { PLAIN, type AsidConfiguration } from './configuration.ts';
import type { AsidOperation } from './operations.ts';
import { AsidWorld } from './world.ts';

const bind: AsidOperation = { op: 'bind', process: 0, device: 0 };
const alloc: AsidOperation = { op: 'domainAlloc', domain: 0 };
const dmaMap: AsidOperation = { op: 'dmaMap', buffer: 0, frame: 0 };
/** An empty domain0, which the DMA API may use. */
const renew: readonly AsidOperation[] = [
  { op: 'dmaUnmap', buffer: 0 },
  { op: 'dmaFlush' },
  { op: 'detach', device: 0 },
  { op: 'domainFree', domain: 0 },
];

function run(
  operations: readonly AsidOperation[],
  world: Partial<AsidConfiguration> = {},
  parts: Partial<KernelParts> = {},
) {
  const built = new AsidWorld({ ...PLAIN, faults: true, ...world } as AsidConfiguration, parts);
  const result = search(built.load({ agents: [{ name: 'CPU0', operations }] }), { order: 'dfs' });
  return { result, counters: built.counters };
}

test.each<[string, number, Partial<AsidConfiguration>, readonly AsidOperation[], AsidOperation]>([
  ['a domain: the domain, its table, its ASID', 3, { masters: 0 }, [{ op: 'domainFree', domain: 0 }], alloc],
  ['a page of a domain: its table', 1, { mapped: 0 }, [], { op: 'map', domain: 0, page: 0, frame: 0 }],
  ['a block that is split: the table', 1, { mapped: 0, block: true }, [], { op: 'split', domain: 0 }],
  ['a bind: the new ASID of the domain, the descriptor', 2, {}, [], bind],
  [
    'a page of a process: its table',
    1,
    {},
    [{ op: 'munmap', process: 0, page: 0 }],
    { op: 'mmap', process: 0, page: 0, frame: 0 },
  ],
  ['a DMA mapping: the address, the table', 2, { lazy: true }, [...renew, alloc], dmaMap],
])('%s, each allocation may fail, and nothing is left behind', (_what, allocations, world, before, operation) => {
  for (let nth = 1; nth <= 3; nth++) {
    const { result, counters } = run([...before, { op: 'failNth', nth }, operation, operation], world);
    expect(result).toMatchObject({ verdict: 'exhausted' });
    expect(result.failure).toBeUndefined();
    const failed = counters.witnesses['allocation failed'];
    expect({ nth, failed }).toEqual({ nth, failed: nth <= allocations ? 1 : 0 });
    // The second attempt finds everything as the first one did (but for a block, which is gone); after a success it does
    // not apply, except that a bond is counted twice.
    const rejected = counters.operations[operation.op]?.rejected;
    const fails = nth <= allocations;
    expect({ nth, rejected }).toEqual({
      nth,
      rejected: operation.op === 'bind' ? Number(fails) : operation.op === 'split' && fails ? 2 : 1,
    });
  }
});

/** Keeps the address when there is no memory for a table. */
class KeptIovaDma extends DmaIommu {
  override *iommu_dma_map(domain: Domain, pa: number, permissions: Permissions): Task<number> {
    const iova = yield* this.alloc_iova();
    if (iova < 0) return -1;
    const { pgtable } = this.kernel;
    const mapped = yield* pgtable.arm_lpae_map_pages(domain, iova, pa, pgtable.pageBytes, permissions);
    return mapped ? iova : -1;
  }
}
/** Takes the ASID before there is a descriptor to give it to. */
class EarlyInsertSva extends ArmSmmuSva {
  protected override insertSharedCd(mm: Mm, wanted: number): Step<number> {
    const insert = super.insertSharedCd(mm, wanted);
    return step(insert.label, () => {
      const handle = insert.run();
      if (handle === 0) this.kernel.asids.store(wanted, sharedOwner(1));
      return handle;
    });
  }
}

test.each<[string, Partial<KernelParts>, readonly AsidOperation[], Partial<AsidConfiguration>]>([
  ['iova', { dma: KeptIovaDma }, [...renew, alloc, { op: 'failNth', nth: 2 }, dmaMap], { lazy: true }],
  ['asid', { sva: EarlyInsertSva }, [{ op: 'failNth', nth: 2 }, bind], {}],
])(
  'an error path that keeps its %s is caught, and only when the allocation fails',
  (kind, parts, operations, world) => {
    expect(run(operations, world, parts).result.failure).toMatchObject({ rule: 'leak', data: { kind } });
    expect(run(operations, world).result.failure).toBeUndefined();
    const harmless = operations.filter(({ op }) => op !== 'failNth');
    expect(run(harmless, world, parts).result.failure).toBeUndefined();
  },
);

test('allocations fail only in worlds that say so', () => {
  const program = { agents: [{ name: 'CPU0', operations: [{ op: 'failNth', nth: 1 }] }] };
  expect(() => asid.world(PLAIN).load(program)).toThrow(/no allocation fails in this world/);
  expect(() => asid.world({ ...PLAIN, faults: 1 })).toThrow(/"faults" must be a boolean/);
});
