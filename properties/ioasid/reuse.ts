import { Cell } from '../../engine/cell.ts';
import { Machine } from '../../engine/machine.ts';
import { search } from '../../engine/search/search.ts';
import type { Task } from '../../engine/step.ts';
import {
  CyclicIoasid,
  DESIGNS,
  IoasidKernel,
  type FreeDesign,
  type NumberPolicy,
} from '../../impl/kernel/ioasid/index.ts';
import type { PasidEvent } from '../../model/contract/events.ts';
import { ALLOCATIONS, PLAIN } from './configuration.ts';
import { PasidEntries } from './hardware.ts';

/** How soon a number is used again that was freed while bound, and how large tables have to be. */
export interface Reuse {
  /** Allocations from the free to the one that gives the number again, that one included, at least. */
  readonly shortest: number;
  /** … and at most; 0: there is an interleaving in which it does not come again. */
  readonly longest: number;
  /** The greatest number that is given out, in any interleaving: PASID tables must be that large. */
  readonly highest: number;
}

/** What is measured: one of the designs, or the fourth proposal, by which nobody hears of a free. */
export type Measured = FreeDesign | 'unheard';

/**
 * Counts over every interleaving of: a number is bound and freed; then one is allocated and freed again and again, as often
 * as there are numbers and once more.
 */
export function measureReuse(design: Measured, policy: NumberPolicy, pasids: number): Reuse {
  const machine = new Machine();
  const cell = (name: string): Cell => new Cell(machine, name, { internal: true });
  const [first, since, distance, highest] = [cell('first'), cell('since'), cell('distance'), cell('highest')];
  const emit = (event: PasidEvent): void => {
    if (event.type === 'pasid.freed' && since.value === 0) since.value = 1;
    if (event.type !== 'pasid.alloc') return;
    highest.value = Math.max(highest.value, event.pasid);
    if (first.value === 0) first.value = event.pasid;
    else if (distance.value === 0 && event.pasid === first.value) distance.value = since.value;
    else since.value++;
  };
  const port = new PasidEntries(machine.store, { ...PLAIN, owners: 1, pasids });
  const layout = { pasids, owners: 1, devices: 1, quota: pasids, allocations: ALLOCATIONS, policy };
  const parts = design === 'unheard' ? { ioasid: CyclicIoasid } : DESIGNS[design];
  const kernel = new IoasidKernel({ machine, port, emit, note: () => undefined }, layout, parts);
  const ends: { readonly distance: number; readonly highest: number }[] = [];
  search(
    {
      machine,
      agents: [
        { name: 'CPU0', context: 'process', daemon: false, operations: operationsOf(kernel, pasids) },
        kernel.wq.daemon(),
        kernel.rcu.daemon(),
      ],
      quiescent: () => ends.push({ distance: distance.value, highest: highest.value }),
    },
    { order: 'dfs' },
  );
  const distances = ends.map((end) => end.distance);
  return {
    shortest: Math.min(...distances.filter((each) => each > 0)),
    longest: distances.includes(0) ? 0 : Math.max(...distances),
    highest: Math.max(...ends.map((end) => end.highest)),
  };
}

function operationsOf({ vfio }: IoasidKernel, pasids: number) {
  const operation = (label: string, start: () => Task) => ({ label, start });
  const again = Array.from({ length: pasids + 1 }, () => [
    operation('alloc', () => dropResult(vfio.alloc(0))),
    operation('free', () => dropResult(vfio.free(0))),
  ]).flat();
  return [
    operation('open', () => dropResult(vfio.open(0))),
    operation('alloc', () => dropResult(vfio.alloc(0))),
    operation('bind', () => dropResult(vfio.bind(0, 0))),
    operation('free', () => dropResult(vfio.free(0))),
    ...again,
  ];
}

function* dropResult(task: Task<boolean>): Task {
  yield* task;
}
