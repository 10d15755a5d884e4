import type { TranslationTable } from '../configuration/context-descriptor.ts';
import { stepDescriptor, type Interpretation, type LeafStep } from './descriptor-step.ts';
import { longerLived, type HoldTable } from '../holds.ts';
import { contiguousEntries, levelShift } from '../layout/descriptor.ts';
import { EVENT } from '../layout/event.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { Tag, TagTable } from './tag.ts';
import { ADDRESS_PAGES, PAGE_BYTES, type InputAddress } from '../universe.ts';
import type { IpaPage, IpaSpace } from './stage2/ipa-space.ts';
import type { ContiguousRun, Leaf, Lineage, WalkNode, WalkReader, WalkResult } from './walk-node.ts';

/**
 * The graph of all walks that have ever been possible: which descriptor a walk reads next, and what each value of it
 * leads to. It only grows, and each part is a function of its content alone, so it needs no undo; what of it the
 * hardware may hold now is in the `HoldTable`.
 */
export class WalkGraph {
  /** All table descriptors and leaves, in the order in which they were found. */
  readonly nodes: WalkNode[] = [];
  readonly leaves: Leaf[] = [];
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
    memory: PhysicalMemory,
    holds: HoldTable,
    tags: TagTable,
    watch: (pa: number, reader: WalkReader) => void,
  ) {
    this.#memory = memory;
    this.#holds = holds;
    this.#tags = tags;
    this.#watch = watch;
  }

  /** The start of walks through one half of a CD, or through stage 2, under a tag. */
  start(under: WalkContext, { interpretation, level, address }: TranslationTable): WalkNode {
    const pages = 2 ** (interpretation.inputBits - 12);
    const page = interpretation.region === 0 ? 0 : ADDRESS_PAGES - pages;
    const lineage = this.#lineage(under, interpretation);
    return this.#node(lineage, { tableLevel: level, table: address, hierarchy: 0, page, pages, descriptorPa: -1 });
  }

  /**
   * State of a node: see `HoldTable`; the start of walks is never doomed. It is as good as held while its twin is, for
   * walks that there are.
   */
  stateOf(node: WalkNode): number {
    const state = this.#holds.state(node.cell);
    if (node.start) return state > 1 ? 1 : state;
    return this.servedByTwin(node) ? longerLived(state, this.#holds.state(node.twin.cell)) : state;
  }

  /** Whether walks may go on from a node if its twin is held: some context has the ASET for which the node stands. */
  servedByTwin(node: WalkNode): node is WalkNode & { readonly twin: WalkNode } {
    if (node.twin === undefined) return false;
    return startsOf(node).some(({ cell }) => this.#holds.state(cell) !== 0);
  }

  /** State of what a descriptor is read through: its node, or a combined fetch of it. */
  stateOfReader(reader: WalkReader): number {
    const state = this.stateOf(reader.node);
    // A combined fetch is no use without a walk that gets there; only the start of walks can be missing.
    return reader.cell === -1 || state === 0 ? state : this.#holds.state(reader.cell);
  }

  /** An address has joined those of a tag: all that is known serves it too. */
  addAddress(tag: Tag, address: InputAddress): void {
    for (const node of this.nodes) {
      if (node.tag !== tag) continue;
      // A descriptor of a contiguous run may lead to one more entry now.
      for (const { lows, highs, results } of node.readers) lows.length = highs.length = results.length = 0;
      if (serves(node, address)) this.#addReader(node, address);
    }
    for (const leaf of this.leaves)
      if (leaf.tag === tag && serves(leaf, address)) {
        leaf.addresses.push(address);
        tag.holds[address.index]?.leaves.push(leaf);
      }
    this.#holds.grown();
  }

  /** What the descriptor of a leaf with the Contiguous bit says about another page of its run. */
  sibling(leaf: Leaf, page: number): Leaf {
    const { table: node, descriptorPa, run, pages, sourcePage, global } = leaf;
    const { page: first, pa } = run as ContiguousRun;
    const start = Math.floor(page / pages) * pages;
    const { permissions, attributes, nT } = leaf;
    const at = pa + (start - first) * PAGE_BYTES;
    const content = { permissions, attributes, nT, pa: at, global: global !== undefined, contiguous: true };
    return this.#leaf({ node, pa: descriptorPa }, { kind: 'leaf', ...content }, start, pages, sourcePage, run);
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
    const run = step.contiguous ? runOf(reader, step, page, pages) : undefined;
    const leaves = [this.#leaf(reader, step, page, pages, page, run)];
    if (run !== undefined) leaves.push(...this.#runLeaves(reader, step, page, pages, run));
    for (const leaf of leaves) this.#addProducer(leaf.producers, reader);
    return { event: 0, fetchAddress: 0, node: undefined, leaves, faults: [] };
  }

  /**
   * A descriptor with the Contiguous bit speaks for its whole run (Arm ARM D8.7.1): from it a TLB may know every other
   * address of the run. Maintenance need only affect the block or page meant, so each is an entry of its own.
   */
  #runLeaves(reader: WalkReader, step: LeafStep, page: number, pages: number, run: ContiguousRun): Leaf[] {
    const found = new Set<Leaf>();
    for (const address of served(reader.node.lineage, run.page, run.pages)) {
      const other = Math.floor(address.canonicalPage / pages) * pages;
      if (other === page) continue;
      const pa = run.pa + (other - run.page) * PAGE_BYTES;
      found.add(this.#leaf(reader, { ...step, pa }, other, pages, page, run));
    }
    return [...found];
  }

  #leaf(
    reader: Pick<WalkReader, 'node' | 'pa'>,
    step: LeafStep,
    page: number,
    pages: number,
    sourcePage: number,
    run: ContiguousRun | undefined,
  ): Leaf {
    const { node, pa: descriptorPa } = reader;
    const { tableLevel: level, lineage } = node;
    const { tag, aset, interpretation, space } = lineage;
    const { vmid, asid } = tag;
    // A global entry is the same whatever the ASID of the walk that made it.
    const owner = step.global ? `${vmid}/g${aset}/${interpretation.key}${nestedSuffix(space)}` : lineage.key;
    const content = `${step.pa}/${step.permissions}/${step.attributes}/${step.nT ? 1 : 0}`;
    // Of two entries of stage 2 that are alike but for the Contiguous bit, one speaks for more addresses.
    const speaksFor = node.stage === 2 ? run : undefined;
    const which = `${page}/${sourcePage}${speaksFor === undefined ? '' : 'c'}`;
    const key = `${owner}/${level}/${which}/${descriptorPa}/${content}`;
    let leaf = this.#leafByKey.get(key);
    if (leaf === undefined) {
      leaf = {
        cell: this.#holds.intern(`leaf ${key}`),
        key,
        stage: node.stage,
        space,
        span: pages,
        parts: undefined,
        run: speaksFor,
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
        aset,
        pa: step.pa,
        permissions: step.permissions,
        attributes: step.attributes,
        nT: step.nT,
        tbi: interpretation.tbi,
        descriptorPa,
        table: node,
        addresses: served(lineage, page, pages),
        producers: [],
        outcomes: new Map(),
      };
      this.#leafByKey.set(key, leaf);
      this.leaves.push(leaf);
      this.#addLeaf(leaf);
    }
    return leaf;
  }

  /** Makes a leaf known to the addresses that it serves, and to where it leads if that is to be translated again. */
  #addLeaf(leaf: Leaf): void {
    const { holds } = leaf.global ?? leaf.table.tag;
    for (const address of leaf.addresses) {
      const of = holds[address.index];
      if (leaf.space === undefined) of?.leaves.push(leaf);
      else {
        of?.firstStage.push(leaf);
        const { outputs } = ipaOf(leaf, address, leaf.space);
        if (!outputs.includes(leaf)) outputs.push(leaf);
      }
    }
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
      cell: this.#holds.intern(`walk ${key}`, start),
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
      aset: lineage.aset,
      stage: interpretation.stage2 === undefined ? 1 : 2,
      twin: undefined,
    };
    this.#nodeByKey.set(key, node);
    this.nodes.push(node);
    this.#addReaders(node);
    if (!start) this.#pair(node);
    else if (startsOf(node).push(node) === 1)
      for (const other of this.nodes.slice()) if (other.tag === tag && !other.start) this.#pair(other);
    return node;
  }

  /** Where a tag has been used with either ASET, each node has a twin. */
  #pair(node: WalkNode): void {
    const { tag, lineage, interpretation } = node;
    if (node.twin !== undefined || tag.starts.some(({ length }) => length === 0)) return;
    const twin = this.#node(this.#lineage({ ...lineage, aset: 1 - lineage.aset }, interpretation), node);
    node.twin = twin;
    twin.twin = node;
  }

  #addProducer(producers: WalkReader[], reader: WalkReader): void {
    if (producers.includes(reader)) return;
    producers.push(reader);
    this.#holds.grown();
  }

  /** The descriptors that walks of the addresses of the universe read in the table of a node. */
  #addReaders(node: WalkNode): void {
    for (const address of served(node.lineage, node.page, node.pages)) this.#addReader(node, address);
  }

  #addReader(node: WalkNode, address: InputAddress): void {
    const shift = levelShift(node.interpretation.granule, node.tableLevel);
    const entry = Math.floor(address.canonicalPage / 2 ** (shift - 12)) % (node.tableBytes / 8);
    const pa = node.table + 8 * entry;
    let reader = node.readers.find((candidate) => candidate.pa === pa);
    if (reader === undefined) {
      const ipa = node.lineage.space?.pageAt(pa);
      reader = { node, pa, ipa, addresses: [], fetches: [], cell: -1, lows: [], highs: [], results: [] };
      node.readers.push(reader);
      if (ipa === undefined) this.#watch(pa, reader);
      else ipa.readers.push(reader);
    }
    reader.addresses.push(address);
    node.readerOf[address.index] = reader;
    if (!node.start) node.tag.holds[address.index]?.readers.push(reader);
  }

  #lineage({ tag, aset, addresses, space }: WalkContext, interpretation: Interpretation): Lineage {
    const key = `${tag.vmid}.${tag.asid}/${aset}/${interpretation.key}${nestedSuffix(space)}`;
    let lineage = this.#lineages.get(key);
    if (lineage === undefined) {
      lineage = { key, tag, aset, interpretation, addresses, space };
      this.#lineages.set(key, lineage);
    }
    return lineage;
  }
}

/** The starts of walks with the tag and the ASET of a node. */
function startsOf({ tag, lineage }: WalkNode): WalkNode[] {
  return tag.starts[lineage.aset === 0 ? 0 : 1];
}

/** What walks are made for: all of a lineage but its interpretation. */
export type WalkContext = Pick<Lineage, 'tag' | 'aset' | 'addresses' | 'space'>;

/** The page of stage 2 to which a leaf of stage 1 sends an address. */
export function ipaOf(leaf: Leaf, address: InputAddress, space: IpaSpace): IpaPage {
  return space.page(leaf.pa / PAGE_BYTES + (address.canonicalPage - leaf.page));
}

function nestedSuffix(space: IpaSpace | undefined): string {
  return space === undefined ? '' : '/n';
}

function serves({ page, pages }: { readonly page: number; readonly pages: number }, address: InputAddress): boolean {
  return address.canonicalPage >= page && address.canonicalPage < page + pages;
}

/** The addresses in a range that walks of a lineage translate: tagged ones only with TBI. */
function served({ interpretation: { tbi }, addresses }: Lineage, page: number, pages: number): InputAddress[] {
  const range = { page, pages };
  return addresses.filter((address) => serves(range, address) && (tbi || address.page === address.canonicalPage));
}

/** The run of a descriptor with the Contiguous bit (Arm ARM D8.7.1). */
function runOf({ node }: WalkReader, step: LeafStep, page: number, pages: number): ContiguousRun {
  const runPages = pages * contiguousEntries(node.interpretation.granule, node.tableLevel);
  const bytes = runPages * PAGE_BYTES;
  return {
    page: Math.floor(page / runPages) * runPages,
    pages: runPages,
    pa: Math.floor(step.pa / bytes) * bytes,
  };
}

/** Where a node of the graph is: what `WalkNode` says of these. */
type Place = Pick<WalkNode, 'tableLevel' | 'table' | 'hierarchy' | 'page' | 'pages' | 'descriptorPa'>;
