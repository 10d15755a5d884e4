import { ABSENT, HELD } from '../dvm/hold-state.ts';
import { describeLeaf, describeNode, hex } from '../outcomes/describe.ts';
import type { HeldDescription } from '../outcomes/held-queries.ts';
import { PAGE_BYTES } from '../universe.ts';
import type { CpuTlb } from './cpu-tlb.ts';
import type { GuestEntry } from './guest-tlb.ts';
import type { WalkGraph } from '../translation/walk-graph.ts';

/** See `CpuTlbs.tableHeld`. */
export function tableHeld(tlbs: readonly CpuTlb[], pa: number, size: number): HeldDescription | undefined {
  for (const tlb of tlbs)
    for (const graph of graphsOf(tlb))
      for (const node of graph.nodes)
        if (node.table < pa + size && pa < node.table + node.tableBytes && tlb.holds.state(node.cell) !== ABSENT)
          return on(tlb, describeNode(tlb.holds, node));
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
    for (const entry of tlb.guest?.entries ?? [])
      if (entry.vmid === vmid && tlb.holds.state(entry.cell) !== ABSENT) return on(tlb, describeEntry(tlb, entry));
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
        return on(tlb, describeNode(holds, node));
  for (const leaf of leaves)
    if (passes(leaf) && holds.state(leaf.cell) !== ABSENT) return on(tlb, describeLeaf(holds, leaf));
  return undefined;
}

function graphsOf({ graph, guest }: CpuTlb): readonly WalkGraph[] {
  return guest === undefined ? [graph] : [graph, guest.graph];
}

function describeEntry({ holds }: CpuTlb, { vmid, page, pa, through, cell }: GuestEntry): HeldDescription {
  const text = `(VMID ${vmid}, ${hex(page * PAGE_BYTES)} → ${hex(pa)}), of both stages`;
  const doomed = holds.state(cell) > HELD;
  return { kind: 'translation', text, asid: -1, vmid, readFrom: through.descriptorPa, doomed };
}

function on({ cpus }: CpuTlb, held: HeldDescription): HeldDescription {
  return { ...held, text: `${cpus.map((cpu) => `CPU${cpu}`).join(', ')}: ${held.text}` };
}
