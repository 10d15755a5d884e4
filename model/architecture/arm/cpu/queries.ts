import { ABSENT, HELD } from '../dvm/hold-state.ts';
import { describeFetch, describeLeaf, describeNode, hex } from '../outcomes/describe.ts';
import type { HeldDescription } from '../outcomes/held-queries.ts';
import { PAGE_BYTES } from '../universe.ts';
import type { CpuTlb } from './cpu-tlb.ts';
import type { GuestEntry } from './guest-tlb.ts';
import { spaceName } from '../translation/stream-world.ts';
import type { WalkGraph } from '../translation/walk-graph.ts';
import type { WalkNode } from '../translation/walk-node.ts';

/** Whether what CPUs hold under an ASID counts: all of them, if they share their entries. */
export type Counts = (cpus: readonly number[], asid: number) => boolean;

/** See `CpuTlbs.tableHeld`. */
export function tableHeld(
  tlbs: readonly CpuTlb[],
  pa: number,
  size: number,
  counts: Counts = () => true,
): HeldDescription | undefined {
  const overlaps = (start: number, bytes: number): boolean => start < pa + size && pa < start + bytes;
  for (const tlb of tlbs)
    for (const graph of graphsOf(tlb))
      for (const node of graph.nodes)
        // Tables of guests are known by IPAs; the descriptors at physical addresses come below.
        if (
          node.lineage.space === undefined &&
          overlaps(node.table, node.tableBytes) &&
          tlb.holds.state(node.cell) !== 0 &&
          counts(tlb.cpus, node.asid)
        )
          return on(tlb, describe(tlb, node));
  for (const tlb of tlbs)
    for (const fetch of tlb.guest?.processes?.combined.fetches ?? []) {
      const page = fetch.pa - (fetch.pa % PAGE_BYTES);
      if (overlaps(page, PAGE_BYTES) && tlb.guest?.processes?.graph.stateOfReader(fetch) !== ABSENT)
        return on(tlb, describeFetch(tlb.holds, fetch));
    }
  return undefined;
}

/** See `CpuTlbs.asidInUse`. */
export function asidHeld(tlbs: readonly CpuTlb[], asid: number): HeldDescription | undefined {
  for (const tlb of tlbs) {
    const held = heldIn(tlb, tlb.graph, (target) => target.asid === asid);
    if (held !== undefined) return held;
  }
  return undefined;
}

/** See `CpuTlbs.vmidInUse`. */
export function vmidHeld(tlbs: readonly CpuTlb[], vmid: number): HeldDescription | undefined {
  for (const tlb of tlbs) {
    for (const graph of graphsOf(tlb)) {
      const held = heldIn(tlb, graph, (target) => target.vmid === vmid);
      if (held !== undefined) return held;
    }
    const held = combinedOf(tlb, vmid);
    if (held !== undefined) return held;
  }
  return undefined;
}

/** Starts of walks first: what is loaded says more than what it has left behind. */
function heldIn(
  tlb: CpuTlb,
  { nodes, leaves }: WalkGraph,
  passes: (target: { readonly asid: number; readonly vmid: number }) => boolean,
): HeldDescription | undefined {
  const { holds } = tlb;
  for (const start of [true, false])
    for (const node of nodes)
      if (node.start === start && passes(node) && holds.state(node.cell) !== ABSENT)
        return on(tlb, describe(tlb, node));
  for (const leaf of leaves)
    if (passes(leaf) && holds.state(leaf.cell) !== ABSENT) return on(tlb, describeLeaf(holds, leaf));
  return undefined;
}

function graphsOf({ graph, guest }: CpuTlb): readonly WalkGraph[] {
  if (guest === undefined) return [graph];
  return guest.processes === undefined ? [graph, guest.graph] : [graph, guest.graph, guest.processes.graph];
}

/** What of both stages is held under a VMID. */
function combinedOf(tlb: CpuTlb, vmid: number): HeldDescription | undefined {
  const { holds, guest } = tlb;
  for (const entry of guest?.entries ?? [])
    if (entry.vmid === vmid && holds.state(entry.cell) !== ABSENT) return on(tlb, describeEntry(tlb, entry));
  const { leaves = [], fetches = [] } = guest?.processes?.combined ?? {};
  for (const leaf of leaves)
    if (leaf.vmid === vmid && holds.state(leaf.cell) !== ABSENT) return on(tlb, describeLeaf(holds, leaf));
  for (const fetch of fetches)
    if (fetch.node.vmid === vmid && holds.state(fetch.cell) !== ABSENT) return on(tlb, describeFetch(holds, fetch));
  return undefined;
}

/** The start of walks is what a register has, here. */
function describe({ holds }: CpuTlb, node: WalkNode): HeldDescription {
  const described = describeNode(holds, node);
  if (!node.start) return described;
  const of = node.stage === 2 ? `VMID ${node.vmid}` : `${spaceName(node.vmid)}ASID ${node.asid}`;
  return { ...described, text: `${of} is loaded, with the table at ${hex(node.table)}` };
}

function describeEntry({ holds }: CpuTlb, { vmid, page, pa, through, cell }: GuestEntry): HeldDescription {
  const text = `(VMID ${vmid}, ${hex(page * PAGE_BYTES)} → ${hex(pa)}), of both stages`;
  const doomed = holds.state(cell) > HELD;
  return { kind: 'translation', text, asid: -1, vmid, readFrom: through.descriptorPa, doomed };
}

function on({ cpus }: CpuTlb, held: HeldDescription): HeldDescription {
  return { ...held, text: `${cpus.map((cpu) => `CPU${cpu}`).join(', ')}: ${held.text}` };
}
