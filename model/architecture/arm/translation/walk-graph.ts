import type { ContextDescriptor, TranslationTable } from '../configuration/context-descriptor.ts';
import { stepDescriptor, type Interpretation, type LeafStep } from './descriptor-step.ts';
import type { HoldTable } from '../holds.ts';
import { contiguousEntries, levelShift } from '../layout/descriptor.ts';
import { EVENT } from '../layout/event.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { Tag, TagTable } from './tag.ts';
import { ADDRESS_PAGES, PAGE_BYTES, type IndexedUniverse, type InputAddress } from '../universe.ts';
import type { Leaf, Lineage, WalkNode, WalkReader, WalkResult } from './walk-node.ts';

/**
 * The graph of all walks that have ever been possible: which descriptor a walk reads next, and what each value of it
 * leads to. It only grows, and each part is a function of its content alone, so it needs no undo; what of it the
 * hardware may hold now is in the `HoldTable`.
 */
export class WalkGraph {
  /** All table descriptors and leaves, in the order in which they were found. */
  readonly nodes: WalkNode[] = [];
  readonly leaves: Leaf[] = [];
  readonly #universe: IndexedUniverse;
  readonly #memory: PhysicalMemory;
  readonly #holds: HoldTable;
  readonly #tags: TagTable;
  readonly #watch: (pa: number, reader: WalkReader) => void;
  readonly #nodeByKey = new Map<string, WalkNode>();
  readonly #leafByKey = new Map<string, Leaf>();
  readonly #aborts = new Map<number, WalkResult>();
  readonly #lineages = new Map<string, Lineage>();

  /** @param watch told of each descriptor address that a walk may read, once for each reader. */
  constructor(
    universe: IndexedUniverse,
    memory: PhysicalMemory,
    holds: HoldTable,
    tags: TagTable,
    watch: (pa: number, reader: WalkReader) => void,
  ) {
    this.#universe = universe;
    this.#memory = memory;
    this.#holds = holds;
    this.#tags = tags;
    this.#watch = watch;
  }

  /** The start of walks through one half of a CD, under a tag. */
  start(tag: Tag, { aset }: ContextDescriptor, from: TranslationTable): WalkNode {
    const { interpretation, level, address } = from;
    const pages = 2 ** (interpretation.inputBits - 12);
    const page = interpretation.region === 0 ? 0 : ADDRESS_PAGES - pages;
    const lineage = this.#lineage(tag, aset, interpretation);
    return this.#node(lineage, { tableLevel: level, table: address, hierarchy: 0, page, pages, descriptorPa: -1 });
  }

  /** State of a node: see `HoldTable`; the start of walks is never doomed. */
  stateOf(node: WalkNode): number {
    const state = this.#holds.state(node.cell);
    return node.start && state > 1 ? 1 : state;
  }

  /** What the walk leads to with the memory of now. */
  resultOf(reader: WalkReader): WalkResult {
    const { pa, lows, highs } = reader;
    const memory = this.#memory;
    if (!memory.present(pa)) return this.#abort(pa);
    const low = memory.low(pa);
    const high = memory.high(pa);
    for (let at = 0; at < lows.length; at++)
      if (lows[at] === low && highs[at] === high) return reader.results[at] as WalkResult;
    const result = this.#evaluate(reader, low, high);
    lows.push(low);
    highs.push(high);
    reader.results.push(result);
    return result;
  }

  #abort(pa: number): WalkResult {
    let result = this.#aborts.get(pa);
    if (result === undefined) {
      result = { event: EVENT.F_WALK_EABT, fetchAddress: pa, node: undefined, leaves: [], faults: [] };
      this.#aborts.set(pa, result);
    }
    return result;
  }

  #evaluate(reader: WalkReader, low: number, high: number): WalkResult {
    const { node, pa } = reader;
    const level = node.tableLevel;
    const step = stepDescriptor(node.interpretation, level, node.hierarchy, low, high);
    if (step.kind === 'fault') return { event: step.event, fetchAddress: 0, node: undefined, leaves: [], faults: [] };
    const [first] = reader.addresses;
    const pages = 2 ** (levelShift(node.interpretation.granule, level) - 12);
    const page = Math.floor((first as InputAddress).canonicalPage / pages) * pages;
    if (step.kind === 'table') {
      const { table, hierarchy } = step;
      const place: Place = { tableLevel: level + 1, table, hierarchy, page, pages, descriptorPa: pa };
      const next = this.#node(node.lineage, place);
      this.#addProducer(next.producers, reader);
      return { event: 0, fetchAddress: 0, node: next, leaves: [], faults: [] };
    }
    const leaves = [this.#leaf(reader, step, page, pages, page)];
    if (step.contiguous) leaves.push(...this.#runLeaves(reader, step, page, pages));
    return { event: 0, fetchAddress: 0, node: undefined, leaves, faults: [] };
  }

  /**
   * A descriptor with the Contiguous bit speaks for its whole run (Arm ARM D8.7.1): from it a TLB may know every other
   * address of the run. Maintenance need only affect the block or page meant, so each is an entry of its own.
   */
  #runLeaves(reader: WalkReader, step: LeafStep, page: number, pages: number): Leaf[] {
    const { interpretation, tableLevel } = reader.node;
    const runPages = pages * contiguousEntries(interpretation.granule, tableLevel);
    const runPage = Math.floor(page / runPages) * runPages;
    const runPa = Math.floor(step.pa / (runPages * PAGE_BYTES)) * runPages * PAGE_BYTES;
    const found = new Set<Leaf>();
    for (const address of this.#served(reader.node, runPage, runPages)) {
      const other = Math.floor(address.canonicalPage / pages) * pages;
      if (other === page) continue;
      const pa = runPa + (other - runPage) * PAGE_BYTES;
      found.add(this.#leaf(reader, { ...step, pa }, other, pages, page));
    }
    return [...found];
  }

  #leaf(reader: WalkReader, step: LeafStep, page: number, pages: number, sourcePage: number): Leaf {
    const { node, pa: descriptorPa } = reader;
    const { tableLevel: level, lineage } = node;
    const { tag, aset, interpretation } = lineage;
    const { vmid, asid } = tag;
    // A global entry is the same whatever the ASID of the walk that made it.
    const owner = step.global ? `${vmid}/g${aset}/${interpretation.key}` : lineage.key;
    const content = `${step.pa}/${step.permissions}/${step.attributes}/${step.nT ? 1 : 0}`;
    const key = `${owner}/${level}/${page}/${sourcePage}/${descriptorPa}/${content}`;
    let leaf = this.#leafByKey.get(key);
    if (leaf === undefined) {
      leaf = {
        cell: this.#holds.intern(`leaf ${key}`),
        tag: step.global ? undefined : tag,
        global: step.global ? this.#tags.global(vmid, aset) : undefined,
        vmid,
        asid: step.global ? -1 : asid,
        page,
        pages,
        sourcePage,
        granule: interpretation.granule,
        level,
        leaf: true,
        pa: step.pa,
        permissions: step.permissions,
        attributes: step.attributes,
        nT: step.nT,
        fromRun: sourcePage !== page,
        tbi: interpretation.tbi,
        descriptorPa,
        table: node,
        addresses: this.#served(node, page, pages),
        producers: [],
        outcomes: new Map(),
      };
      this.#leafByKey.set(key, leaf);
      this.leaves.push(leaf);
      const { holds } = leaf.global ?? tag;
      for (const { index } of leaf.addresses) holds[index]?.leaves.push(leaf);
    }
    this.#addProducer(leaf.producers, reader);
    return leaf;
  }

  #node(lineage: Lineage, place: Place): WalkNode {
    const { tableLevel, table, hierarchy, page, pages, descriptorPa } = place;
    const { tag, interpretation } = lineage;
    const key = `${lineage.key}/${tableLevel}/${table}/${hierarchy}/${page}/${descriptorPa}`;
    const known = this.#nodeByKey.get(key);
    if (known !== undefined) return known;
    const { granule } = interpretation;
    const start = descriptorPa === -1;
    const node: WalkNode = {
      key,
      cell: this.#holds.intern(`walk ${key}`),
      start,
      lineage,
      tag,
      interpretation,
      tableLevel,
      table,
      tableBytes: start ? (8 * pages * PAGE_BYTES) / 2 ** levelShift(granule, tableLevel) : 2 ** granule,
      hierarchy,
      descriptorPa,
      readers: [],
      readerOf: [],
      producers: [],
      vmid: tag.vmid,
      asid: tag.asid,
      page,
      pages,
      sourcePage: page,
      granule,
      level: tableLevel - 1,
      leaf: false,
    };
    this.#nodeByKey.set(key, node);
    this.nodes.push(node);
    this.#addReaders(node);
    return node;
  }

  #addProducer(producers: WalkReader[], reader: WalkReader): void {
    if (producers.includes(reader)) return;
    producers.push(reader);
    this.#holds.grown();
  }

  /** The descriptors that walks of the addresses of the universe read in the table of a node. */
  #addReaders(node: WalkNode): void {
    const shift = levelShift(node.interpretation.granule, node.tableLevel);
    const entries = node.tableBytes / 8;
    for (const address of this.#served(node, node.page, node.pages)) {
      const entry = Math.floor(address.canonicalPage / 2 ** (shift - 12)) % entries;
      const pa = node.table + 8 * entry;
      let reader = node.readers.find((candidate) => candidate.pa === pa);
      if (reader === undefined) {
        reader = { node, pa, addresses: [], lows: [], highs: [], results: [] };
        node.readers.push(reader);
        this.#watch(pa, reader);
      }
      reader.addresses.push(address);
      node.readerOf[address.index] = reader;
      if (!node.start) node.tag.holds[address.index]?.readers.push(reader);
    }
  }

  /** The addresses of the universe in a range that a walk by this node's CD translates: tagged ones only with TBI. */
  #served(node: WalkNode, page: number, pages: number): InputAddress[] {
    const { tbi } = node.interpretation;
    return this.#universe.addresses.filter(
      (address) =>
        address.canonicalPage >= page &&
        address.canonicalPage < page + pages &&
        (tbi || address.page === address.canonicalPage),
    );
  }

  #lineage(tag: Tag, aset: number, interpretation: Interpretation): Lineage {
    const key = `${tag.vmid}.${tag.asid}/${aset}/${interpretation.key}`;
    let lineage = this.#lineages.get(key);
    if (lineage === undefined) {
      lineage = { key, tag, aset, interpretation };
      this.#lineages.set(key, lineage);
    }
    return lineage;
  }
}

/** Where a node of the graph is: what `WalkNode` says of these. */
type Place = Pick<WalkNode, 'tableLevel' | 'table' | 'hierarchy' | 'page' | 'pages' | 'descriptorPa'>;
