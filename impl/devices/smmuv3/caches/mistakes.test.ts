import { describe, expect, it } from 'vitest';
import { Atc } from './atc.ts';
import { ConfigCache } from './config-cache.ts';
import type { AddressRange } from './entry.ts';
import { Iotlb } from './iotlb.ts';
import { AtcLockstep } from './testing/atc-lockstep.ts';
import { ConfigLockstep, configOptions } from './testing/config-lockstep.ts';
import { TranslationLockstep, type TranslationCaches } from './testing/translation-lockstep.ts';
import { TranslationTags } from './translation-tags.ts';
import { WalkCache } from './walk-cache.ts';

const SIZE = { sets: 4, ways: 4 };
/** Generations of one bit wrap at every second invalidation. */
const TAGS = { contexts: 16, generationBits: 1, vmidBits: 8 };

function translations(
  Tags: typeof TranslationTags,
  Tlb: typeof Iotlb = Iotlb,
  Walks: typeof WalkCache = WalkCache,
): TranslationCaches {
  const tags = new Tags(TAGS);
  return { tags, iotlb: new Tlb(tags, SIZE), walks: new Walks(tags, SIZE) };
}

/** Each is one method that a device might have got wrong. */
const TRANSLATION_MISTAKES: Readonly<Record<string, () => TranslationCaches>> = {
  'ASIDs are compared on 8 bits': () =>
    translations(
      class extends TranslationTags {
        override codeOf(asid: number, aset: number): number {
          return super.codeOf(asid & 0xff, aset);
        }
      },
    ),
  'the VMID is not compared': () =>
    translations(
      class extends TranslationTags {
        override stage1(world: number): number {
          return super.stage1(world, 0);
        }
      },
    ),
  'the StreamWorld is not compared': () =>
    translations(
      class extends TranslationTags {
        override stage1(_world: number, vmid: number): number {
          return super.stage1(0, vmid);
        }
      },
    ),
  'global entries of one ASET serve the other': () =>
    translations(
      class extends TranslationTags {
        override globalCode(): number {
          return super.globalCode(0);
        }
      },
    ),
  'by ASID drops one ASET only': () =>
    translations(
      class extends TranslationTags {
        override dropAsid(world: number, vmid: number, asid: number): void {
          this.dropContext(this.stage1(world, vmid), this.codeOf(asid, 0));
        }
      },
    ),
  'by VMID leaves stage 2': () =>
    translations(
      class extends TranslationTags {
        override dropVmid(vmid: number): void {
          this.dropStage1(0, vmid);
        }
      },
    ),
  'a slot changes its owner with the entries in it': () =>
    translations(
      class extends TranslationTags {
        protected override recycle(): void {}
      },
    ),
  'generations are used again while entries carry them': () =>
    translations(
      class extends TranslationTags {
        protected override generationWraps(context: number): void {
          this.ids[context] = this.contexts + context;
        }
      },
    ),
  'the count of a space is used again': () =>
    translations(
      class extends TranslationTags {
        protected override spaceWraps(space: number): void {
          this.spaceCounts[space] = 0;
        }
      },
    ),
  'the count of a world is used again': () =>
    translations(
      class extends TranslationTags {
        protected override groupWraps(group: number): void {
          this.groupCounts[group] = 0;
        }
      },
    ),
  'what was looked up last outlives an invalidation': () =>
    translations(
      class extends TranslationTags {
        protected override changed(): void {}
      },
    ),
  'a VA with an ASID leaves global entries': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override scopeGlobal(): void {}
      },
    ),
  'a range ends one page early': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override overlaps(range: AddressRange, page: number, pages: number): boolean {
          return page < range.firstPage + range.pages - 1 && range.firstPage < page + pages;
        }
      },
    ),
  'only the first page of an entry is compared': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override overlaps(range: AddressRange, page: number): boolean {
          return page < range.firstPage + range.pages && range.firstPage <= page;
        }
      },
    ),
  'blocks are not looked for': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override sizesMeant(context: number): number {
          return super.sizesMeant(context) & 1;
        }
      },
    ),
  'what was splintered is looked for at its own address': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override windowUnit(_context: number, shift: number): number {
          return 2 ** (shift - 12);
        }
      },
    ),
  'what was splintered is compared by its own size': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override sourceShift(at: number): number {
          return this.shiftAt(at);
        }
      },
    ),
  'the level of stage 1 is taken for that of the entry': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override levelFits(range: AddressRange): boolean {
          return range.level === 0 || range.level === 3;
        }
      },
    ),
  'the granule of a range is one off': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override granuleFits(range: AddressRange, at: number): boolean {
          return super.granuleFits({ ...range, granule: range.granule === 16 ? 14 : range.granule }, at);
        }
      },
    ),
  'a fill leaves a duplicate': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override present(): number {
          return -1;
        }
      },
    ),
  'the top bits of an address are not compared': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override keyMaskHigh(shift: number): number {
          return super.keyMaskHigh(shift) & 0xffff;
        }
      },
    ),
  'a hint is believed': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        protected override serves(): boolean {
          return true;
        }
      },
    ),
  'the address in a block is cut to a page': () =>
    translations(
      TranslationTags,
      class extends Iotlb {
        override output(entry: number, low: number, high: number): number {
          return super.output(entry, low & 0xfff, high);
        }
      },
    ),
  'table descriptors stay': () =>
    translations(
      TranslationTags,
      Iotlb,
      class extends WalkCache {
        protected override tablesMeant(): boolean {
          return false;
        }
      },
    ),
  'the level hint is for tables too': () =>
    translations(
      TranslationTags,
      Iotlb,
      class extends WalkCache {
        protected override levelFits(range: AddressRange, at: number): boolean {
          return range.level === 0 || this.level(at / 8) === range.level;
        }
      },
    ),
};

const CONFIG_MISTAKES: Readonly<Record<string, typeof ConfigCache>> = {
  'CDs are told apart by their stream only': class extends ConfigCache {
    protected override cdIndex(): number {
      return 0;
    }
  },
  'an STE goes without its CDs': class extends ConfigCache {
    override invalidateSte(streamId: number, leaf: boolean): void {
      const id = this.streamTable.idOf(this.streamTable.intern(0, 0, 0));
      this.ste.drop(id, streamId, 0);
      if (!leaf) this.dropL1std(id, streamId);
    }
  },
  'an L1STD stays': class extends ConfigCache {
    protected override dropL1std(): void {}
  },
  'an L1CD stays': class extends ConfigCache {
    protected override dropL1cd(): void {}
  },
  'a range of streams ends one early': class extends ConfigCache {
    override invalidateSteRange(first: number, count: number): void {
      super.invalidateSteRange(first, count - 1);
    }
  },
};

const ATC_MISTAKES: Readonly<Record<string, typeof Atc>> = {
  'a span is one page': class extends Atc {
    override invalidate(substream: number, global: boolean, firstPage: number, pages: number): void {
      super.invalidate(substream, global, firstPage, Math.min(pages, 1));
    }
  },
  'global means one substream': class extends Atc {
    override invalidate(substream: number, _global: boolean, firstPage: number, pages: number): void {
      super.invalidate(substream, false, firstPage, pages);
    }
  },
  'without a substream only what has none goes': class extends Atc {
    protected override scopeSpace(space: number): void {
      this.scopeContext(space, -1);
    }
  },
  'larger entries stay': class extends Atc {
    protected override overlaps(range: AddressRange, page: number, pages: number): boolean {
      return pages <= range.pages && super.overlaps(range, page, pages);
    }
  },
};

/** Something goes wrong within some seeds of some thousand steps. */
function expectFound(make: (seed: number) => { step(): string | undefined }): void {
  for (let seed = 1; seed <= 5; seed++) {
    const lockstep = make(seed);
    for (let step = 0; step < 20_000; step++) if (lockstep.step() !== undefined) return;
  }
  expect.fail('nothing was wrong');
}

describe('a mistake in one method is found by the lockstep tests', () => {
  for (const [name, make] of Object.entries(TRANSLATION_MISTAKES))
    it(name, () => expectFound((seed) => new TranslationLockstep(make(), seed)));
  for (const [name, Cache] of Object.entries(CONFIG_MISTAKES))
    it(name, () => expectFound((seed) => new ConfigLockstep(new Cache(configOptions(4, 4, 16, 3)), seed)));
  for (const [name, Cache] of Object.entries(ATC_MISTAKES))
    it(name, () => expectFound((seed) => new AtcLockstep(new Cache(SIZE, TAGS), seed)));
});
