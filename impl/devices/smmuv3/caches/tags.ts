/** Something whose entries carry ids of tags: it is told when ids are about to be used a second time. */
export interface TaggedEntries {
  /** Drops every entry of a context, whatever the generation in its id. */
  forgetContext(context: number): void;
}

/** Size of a table of tags. */
export interface TagsOptions {
  /** Most contexts that have entries at a time: a power of two. */
  readonly contexts: number;
  /** Bits of the generation counters: up to 31 less log2 of `contexts`, which is the default. */
  readonly generationBits?: number;
}

/**
 * What entries of caches are tagged with, and the only thing that an invalidation by tag touches.
 *
 *     group ⊃ space ⊃ context
 *     for translations: StreamWorld ⊃ VMID (stage 1, stage 2) ⊃ ASID or global
 *
 * A context that has entries owns a slot. Its id is the slot and a generation; entries store the id. An invalidation by
 * context makes a new generation, so that no entry of the old one is found again: its cost does not depend on the number
 * of entries. Spaces and groups count their invalidations, and a context that has missed one makes its new generation
 * when it is next looked at. No id is zero.
 */
export class Tags {
  /** Bits of an id that are the context. */
  readonly contextMask: number;
  /** Grows with each invalidation, of any kind: a walk that began at another epoch must not fill a cache any more. */
  epoch = 0;
  protected readonly ids: Int32Array;
  protected readonly spaces: Int32Array;
  protected readonly codes: Int32Array;
  protected readonly groups: Int32Array;
  /** Count of invalidations of space and group, as each context has last seen it. */
  protected readonly seenSpace: Int32Array;
  protected readonly seenGroup: Int32Array;
  protected readonly spaceCounts: Int32Array;
  protected readonly groupCounts: Int32Array;
  readonly #generationStep: number;
  readonly #firstGenerationEnd: number;
  readonly #countEnd: number;
  /** Hash chains over contexts in use, links as context + 1. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #hashShift: number;
  /** Contexts of each space, links as context + 1. */
  readonly #spaceHeads: Int32Array;
  readonly #spaceNext: Int32Array;
  readonly #spacePrevious: Int32Array;
  readonly #referenced: Uint8Array;
  readonly #caches: TaggedEntries[] = [];
  #used = 0;
  #hand = 0;

  /**
   * @param groups number of groups.
   * @param spaces number of spaces, of all groups together.
   */
  constructor(groups: number, spaces: number, { contexts, generationBits }: TagsOptions) {
    const bits = 31 - Math.clz32(contexts);
    if (contexts !== 2 ** bits || bits > 24) throw new RangeError(`${contexts} contexts are not a power of two`);
    const width = Math.min(generationBits ?? 31, 31 - bits);
    if (width < 1) throw new RangeError('a generation has at least one bit');
    this.contextMask = contexts - 1;
    this.#generationStep = contexts;
    this.#firstGenerationEnd = contexts * 2 ** width;
    this.#countEnd = 2 ** Math.min(generationBits ?? 31, 31);
    this.ids = new Int32Array(contexts);
    for (let context = 0; context < contexts; context++) this.ids[context] = contexts + context;
    this.spaces = new Int32Array(contexts);
    this.codes = new Int32Array(contexts);
    this.groups = new Int32Array(contexts);
    this.seenSpace = new Int32Array(contexts);
    this.seenGroup = new Int32Array(contexts);
    this.spaceCounts = new Int32Array(spaces);
    this.groupCounts = new Int32Array(groups);
    this.#heads = new Int32Array(2 * contexts);
    this.#hashShift = 31 - bits;
    this.#next = new Int32Array(contexts);
    this.#spaceHeads = new Int32Array(spaces);
    this.#spaceNext = new Int32Array(contexts);
    this.#spacePrevious = new Int32Array(contexts);
    this.#referenced = new Uint8Array(contexts);
  }

  /** Number of contexts that can have entries at a time. */
  get contexts(): number {
    return this.ids.length;
  }

  /** A cache whose entries carry these ids. */
  attach(cache: TaggedEntries): void {
    this.#caches.push(cache);
  }

  /** The context of a space with some code, or -1 if it has no entries. */
  find(space: number, code: number): number {
    let context = (this.#heads[this.#hash(space, code)] as number) - 1;
    while (context >= 0 && (this.codes[context] !== code || this.spaces[context] !== space))
      context = (this.#next[context] as number) - 1;
    if (context >= 0) this.#referenced[context] = 1;
    return context;
  }

  /** The same, but gives it a slot if it has none: the slot of a context that was not used for long, if all are taken. */
  intern(group: number, space: number, code: number): number {
    let context = this.find(space, code);
    if (context >= 0) return context;
    context = this.#free();
    const head = this.#hash(space, code);
    this.spaces[context] = space;
    this.codes[context] = code;
    this.groups[context] = group;
    this.seenSpace[context] = this.spaceCounts[space] as number;
    this.seenGroup[context] = this.groupCounts[group] as number;
    this.#next[context] = this.#heads[head] as number;
    this.#heads[head] = context + 1;
    const first = this.#spaceHeads[space] as number;
    this.#spaceNext[context] = first;
    this.#spacePrevious[context] = 0;
    if (first > 0) this.#spacePrevious[first - 1] = context + 1;
    this.#spaceHeads[space] = context + 1;
    this.#referenced[context] = 1;
    this.changed();
    return context;
  }

  /** The id that entries of a context must have to be found. */
  idOf(context: number): number {
    if (this.isCurrent(context)) return this.ids[context] as number;
    this.renew(context);
    this.seenSpace[context] = this.spaceCounts[this.spaces[context] as number] as number;
    this.seenGroup[context] = this.groupCounts[this.groups[context] as number] as number;
    return this.ids[context] as number;
  }

  /** Whether an entry with some id may still be found. */
  isLive(id: number): boolean {
    const context = id & this.contextMask;
    return this.ids[context] === id && this.isCurrent(context);
  }

  /** The code of a context that has a slot. */
  codeAt(context: number): number {
    return this.codes[context] as number;
  }

  /** The first context of a space, or -1; `after` gives the next. */
  first(space: number): number {
    return (this.#spaceHeads[space] as number) - 1;
  }

  /** The context after another one of the same space, or -1. */
  after(context: number): number {
    return (this.#spaceNext[context] as number) - 1;
  }

  /** Drops all entries of a context. */
  dropContext(space: number, code: number): void {
    this.epoch++;
    const context = this.find(space, code);
    if (context >= 0) this.renew(context);
    this.changed();
  }

  /** Drops all entries of a space. */
  dropSpace(space: number): void {
    this.epoch++;
    const count = (this.spaceCounts[space] as number) + 1;
    if (count >= this.#countEnd) this.spaceWraps(space);
    else this.spaceCounts[space] = count;
    this.changed();
  }

  /** Drops all entries of a group. */
  dropGroup(group: number): void {
    this.epoch++;
    const count = (this.groupCounts[group] as number) + 1;
    if (count >= this.#countEnd) this.groupWraps(group);
    else this.groupCounts[group] = count;
    this.changed();
  }

  /** Whether a context has seen all invalidations of its space and group. */
  protected isCurrent(context: number): boolean {
    return (
      this.seenSpace[context] === this.spaceCounts[this.spaces[context] as number] &&
      this.seenGroup[context] === this.groupCounts[this.groups[context] as number]
    );
  }

  /** A new generation for a context. */
  protected renew(context: number): void {
    const id = (this.ids[context] as number) + this.#generationStep;
    if (id < this.#firstGenerationEnd) this.ids[context] = id;
    else this.generationWraps(context);
  }

  /** The generations of a context are used up: entries that carry old ones must go before these are used again. */
  protected generationWraps(context: number): void {
    for (const cache of this.#caches) cache.forgetContext(context);
    this.ids[context] = this.#generationStep + context;
  }

  /** The count of a space is used up. Contexts that are far behind could take its next value for the one they know. */
  protected spaceWraps(space: number): void {
    this.spaceCounts[space] = 0;
    for (let context = this.first(space); context >= 0; context = this.after(context)) {
      this.renew(context);
      this.seenSpace[context] = 0;
    }
  }

  /** The same for a group. */
  protected groupWraps(group: number): void {
    this.groupCounts[group] = 0;
    for (let context = 0; context < this.#used; context++) {
      if (this.groups[context] !== group) continue;
      this.renew(context);
      this.seenGroup[context] = 0;
    }
  }

  /** Called when a context got or lost its slot or its generation: what was remembered of `find` is void. */
  protected changed(): void {}

  #hash(space: number, code: number): number {
    const mixed = Math.imul(space ^ Math.imul(code, 0x9e3779b1), 0x85ebca6b);
    return Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35) >>> this.#hashShift;
  }

  /** A slot without owner. */
  #free(): number {
    if (this.#used < this.ids.length) return this.#used++;
    const mask = this.contextMask;
    while (this.#referenced[this.#hand] === 1) {
      this.#referenced[this.#hand] = 0;
      this.#hand = (this.#hand + 1) & mask;
    }
    const context = this.#hand;
    this.#hand = (context + 1) & mask;
    this.recycle(context);
    this.#unlink(context);
    return context;
  }

  /** A slot changes its owner: entries of the old one must not be taken for entries of the new one. */
  protected recycle(context: number): void {
    this.renew(context);
  }

  #unlink(context: number): void {
    const space = this.spaces[context] as number;
    const head = this.#hash(space, this.codes[context] as number);
    const next = this.#next[context] as number;
    let at = (this.#heads[head] as number) - 1;
    if (at === context) this.#heads[head] = next;
    else {
      while (this.#next[at] !== context + 1) at = (this.#next[at] as number) - 1;
      this.#next[at] = next;
    }
    const previous = this.#spacePrevious[context] as number;
    const following = this.#spaceNext[context] as number;
    if (previous > 0) this.#spaceNext[previous - 1] = following;
    else this.#spaceHeads[space] = following;
    if (following > 0) this.#spacePrevious[following - 1] = previous;
  }
}
