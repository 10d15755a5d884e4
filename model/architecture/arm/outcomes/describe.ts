import { isDoomed, type HoldTable } from '../holds.ts';
import { spaceName } from '../translation/stream-world.ts';
import type { CombinedFetch, Leaf, WalkNode } from '../translation/walk-node.ts';
import { PAGE_BYTES } from '../universe.ts';
import type { HeldDescription } from './held-queries.ts';

/** An address in the way of reports. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** A translation that may be held, in words. */
export function describeLeaf(holds: HoldTable, leaf: Leaf): HeldDescription {
  const { asid, vmid, page, pa, descriptorPa, parts } = leaf;
  const doomed = isDoomed(holds.state(leaf.cell));
  const of = { kind: 'translation', asid, vmid, readFrom: descriptorPa, doomed } as const;
  const from = hex(page * PAGE_BYTES);
  if (leaf.stage === 2) {
    const table = `stage 2 table at ${hex(leaf.table.table)}`;
    return { ...of, text: `(VMID ${vmid}, IPA ${from} → ${hex(pa)}${sizeOf(leaf)}), walked through the ${table}` };
  }
  const start = `(${tagOf(leaf)}, ${from} → `;
  if (parts !== undefined) return { ...of, text: combinedText(leaf, parts) };
  if (leaf.space === undefined)
    return { ...of, text: `${start}${hex(pa)}${sizeOf(leaf)}), walked through the table at ${hex(leaf.table.table)}` };
  const table = `table at IPA ${hex(leaf.table.table)}`;
  return { ...of, text: `${start}IPA ${hex(pa)}${sizeOf(leaf)}), walked through the ${table}` };
}

/** The part of the range of a combined entry that an entry translates. */
function combinedText(leaf: Leaf, { first, second }: NonNullable<Leaf['parts']>): string {
  const ahead = Math.max(0, second.page - first.pa / PAGE_BYTES);
  const va = hex((first.page + ahead) * PAGE_BYTES);
  const ipa = hex(first.pa + ahead * PAGE_BYTES);
  return `(${tagOf(leaf)}, ${va} → IPA ${ipa} → ${hex(leaf.pa + ahead * PAGE_BYTES)}${sizeOf(leaf)}), of both stages`;
}

/** A table descriptor that may be held, or the start of walks, in words. */
export function describeNode(holds: HoldTable, node: WalkNode): HeldDescription {
  const { start, asid, vmid, page, table, tableLevel, descriptorPa, stage } = node;
  const doomed = !start && isDoomed(holds.state(node.cell));
  const of = { kind: start ? 'start' : 'table', asid, vmid, readFrom: descriptorPa, doomed } as const;
  const from = `from ${hex(page * PAGE_BYTES)}`;
  if (stage === 2) {
    const text = `(VMID ${vmid}, IPA ${from}) → stage 2 table of level ${tableLevel} at ${hex(table)}`;
    return { ...of, text: `${text}${start ? ', from an STE' : ''}` };
  }
  const at = node.lineage.space === undefined ? hex(table) : `IPA ${hex(table)}`;
  const tag = `${spaceName(vmid)}ASID ${asid}`;
  return { ...of, text: `(${tag}, ${from}) → table of level ${tableLevel} at ${at}${start ? ', from a CD' : ''}` };
}

/** A combined walk-cache entry, in words. */
export function describeFetch(holds: HoldTable, { node, base, pa, cell }: CombinedFetch): HeldDescription {
  const { asid, vmid, page, tableLevel } = node;
  const range = `(VMID ${vmid}, ASID ${asid}, from ${hex(page * PAGE_BYTES)})`;
  const descriptor = `descriptor of level ${tableLevel} at IPA ${hex(base.pa)} → ${hex(pa)}`;
  const doomed = isDoomed(holds.state(cell));
  return { kind: 'table', text: `${range} → ${descriptor}, of both stages`, asid, vmid, readFrom: pa, doomed };
}

function tagOf({ asid, vmid }: Leaf): string {
  return `${spaceName(vmid)}${asid === -1 ? 'global' : `ASID ${asid}`}`;
}

function sizeOf({ span }: Leaf): string {
  return span === 1 ? '' : `, ${(span * PAGE_BYTES) / 1024} KiB`;
}
