import { coversTlb, type Command, type TlbInvalidation, type TlbTarget } from '../commands/invalidation.ts';

/** Something held that was read once: what it is, and what takes it away. */
interface Copy {
  readonly key: string;
  readonly thing: Thing;
  /** Invalidations that have begun and take it away when they complete. */
  readonly by: ReadonlySet<Invalidation>;
}

/** A leaf, or a table of level 3 that a descriptor of level 2 leads to. */
interface Thing extends TlbTarget {
  readonly to: number;
}

/** An invalidation that has begun: by the queue, in order, or by a CPU. */
interface Invalidation {
  readonly command: Command;
  readonly by: 'queue' | number;
}

/** A stream's configuration: what tags its entries, and its table of level 2. */
export interface CopiesContext {
  readonly asid: number;
  readonly aset: number;
  readonly top: number;
}

/** Reads a descriptor: what it says, in the terms of this model. */
export type Descriptor =
  { readonly kind: 'none' } | { readonly kind: 'table' | 'leaf'; readonly to: number; readonly global: boolean };

/**
 * What hardware with translation tables of two levels may hold, told naively: everything that it may ever have read, each
 * reading by itself, with the set of invalidations that take it away. Where the model has one state for all readings of a
 * thing, this has them all, so that it permits neither more nor less than the architecture, as far as it goes.
 */
export class Copies {
  readonly #contexts: readonly CopiesContext[];
  readonly #addresses: readonly number[];
  readonly #read: (pa: number) => Descriptor;
  #copies = new Map<string, Copy>();
  readonly #ids = new Map<Invalidation, number>();
  #outstanding: Invalidation[] = [];
  /** Whether there ever was something of which two readings neither outlived the other. */
  undecided = false;

  constructor(contexts: readonly CopiesContext[], addresses: readonly number[], read: (pa: number) => Descriptor) {
    this.#contexts = contexts;
    this.#addresses = addresses;
    this.#read = read;
  }

  /** Memory has changed: everything that can be read is. */
  settle(): void {
    for (let before = -1; before !== this.#copies.size;) {
      before = this.#copies.size;
      for (const context of this.#contexts)
        for (const va of this.#addresses) {
          this.#walk(context, va, context.top, 2, undefined);
          const tables = [...this.#copies.values()];
          for (const table of tables)
            if (!table.thing.leaf && table.thing.asid === context.asid && serves(table.thing, va))
              this.#walk(context, va, table.thing.to, 3, table);
        }
    }
  }

  /** An invalidation begins. What is read from now on outlives it, unless it is read through what it covers. */
  begin(command: TlbInvalidation, by: Invalidation['by']): void {
    const invalidation = { command: by === 'queue' ? command : { ...command, broadcast: true as const }, by };
    this.#outstanding.push(invalidation);
    this.#ids.set(invalidation, this.#ids.size);
    const copies = [...this.#copies.values()];
    this.#copies = new Map();
    for (const { thing, by: of } of copies)
      this.#add(thing, covers(invalidation, thing) ? new Set([...of, invalidation]) : of);
    this.settle();
  }

  /** All that the queue, or a CPU, has begun completes. */
  complete(by: Invalidation['by']): void {
    this.#outstanding = this.#outstanding.filter((invalidation) => invalidation.by !== by);
    for (const [key, copy] of this.#copies)
      if ([...copy.by].some((invalidation) => invalidation.by === by)) this.#copies.delete(key);
    this.settle();
  }

  /** Where an access may end up: addresses, and 0 for a translation fault. */
  outcomes(context: CopiesContext, va: number): number[] {
    const found = new Set<number>();
    const end = (step: Descriptor): void => {
      if (step.kind === 'none') found.add(0);
    };
    end(this.#read(context.top + 8 * indexOf(va, 2)));
    for (const { thing } of this.#copies.values()) {
      if (!serves(thing, va)) continue;
      const { asid, aset } = thing;
      if (!thing.leaf && asid === context.asid) end(this.#read(thing.to + 8 * indexOf(va, 3)));
      if (thing.leaf && (asid === context.asid || (asid === -1 && aset === context.aset))) found.add(thing.to);
    }
    this.#decide();
    return [...found].sort((a, b) => a - b);
  }

  #walk(context: CopiesContext, va: number, table: number, level: number, through: Copy | undefined): void {
    const pa = table + 8 * indexOf(va, level);
    const step = this.#read(pa);
    if (step.kind === 'none' || (step.kind === 'table' && level === 3)) return;
    const pages = level === 2 ? 512 : 1;
    const page = Math.floor(va / 4096 / pages) * pages;
    const leaf = step.kind === 'leaf';
    const { asid, aset } = context;
    const tag = { stage: 1, vmid: 0, asid: leaf && step.global ? -1 : asid, aset } as const;
    // Where a descriptor stands tells entries of the same content from each other.
    const thing: Thing & { pa: number } = {
      ...tag,
      page,
      pages,
      sourcePage: page,
      granule: 12,
      level,
      leaf,
      to: step.to,
      pa,
    };
    const by = [...(through?.by ?? [])].filter((invalidation) => covers(invalidation, thing));
    this.#add(thing, new Set(by));
  }

  #add(thing: Thing, by: ReadonlySet<Invalidation>): void {
    const key = `${JSON.stringify(thing)} ${[...by]
      .map((one) => this.#ids.get(one))
      .sort()
      .join()}`;
    if (!this.#copies.has(key)) this.#copies.set(key, { key: JSON.stringify(thing), thing, by });
  }

  /** Finds out whether there are readings of one thing of which none outlives all others. */
  #decide(): void {
    const groups = new Map<string, Copy[]>();
    for (const copy of this.#copies.values()) groups.set(copy.key, [...(groups.get(copy.key) ?? []), copy]);
    for (const group of groups.values())
      if (!group.some((one) => group.every((other) => this.#outlives(one, other)))) this.undecided = true;
  }

  /** Whether whatever takes one copy away takes the other away as well. */
  #outlives(one: Copy, other: Copy): boolean {
    const first = (copy: Copy): number =>
      Math.min(...[...copy.by].filter(({ by }) => by === 'queue').map((of) => this.#ids.get(of) as number), Infinity);
    return first(one) >= first(other) && [...one.by].every((of) => of.by === 'queue' || other.by.has(of));
  }
}

function covers({ command }: Invalidation, thing: TlbTarget): boolean {
  return command.kind === 'tlb' && coversTlb(command, thing);
}

function serves({ page, pages }: TlbTarget, va: number): boolean {
  return va / 4096 >= page && va / 4096 < page + pages;
}

function indexOf(va: number, level: number): number {
  return Math.floor(va / (level === 2 ? 2 ** 21 : 2 ** 12)) % 512;
}
