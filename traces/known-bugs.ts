/** Written by `npm run corpus`: names of bugs (see `engine/bug/bug.ts`), and the hazards that show as them. */
export const knownBugs: Readonly<Record<string, readonly string[]>> = {
  'safety/refcount-resurrected/cd.refs-9c314ff90d00c40a': ['asid/share-asid-refcount-uaf'],
  'safety/use-after-free/cd-5a5fbc15956a5dfe': ['asid/share-asid-toctou-insert'],
  'safety/use-after-free/cd-9a798f774766932e': ['asid/share-asid-toctou-insert'],
  'safety/use-after-free/domain-4f9040f6520e48c3': ['asid/share-asid-domain-free'],
  'safety/use-after-free/domain-a2ffdaba11794fe5': ['asid/share-asid-domain-free'],
  'safety/use-after-free/domain-bb010fc63bbfbca9': ['asid/share-asid-domain-free'],
  'safety/use-after-free/domain-c0c3f2398598223e': ['asid/share-asid-domain-free'],
  'tables/table-free-in-use-3dfe1d17b9814bee': ['asid/share-asid-unmap-window'],
  'tables/table-free-in-use-869af3d6fea650eb': ['asid/share-asid-cd-first', 'asid/share-asid-two-masters'],
  'tags/tag-not-owned-07f444cc9c332413': ['asid/share-asid-toctou-insert'],
  'translation/stale-translation-5e83a03ab4c2f795': ['asid/share-asid-cd-first', 'asid/share-asid-store-buffer'],
  'translation/stale-translation-61da435de51e7272': ['asid/share-asid-two-masters'],
  'translation/stale-translation-d315958b6a5d783c': ['asid/share-asid-unmap-window'],
  'translation/stale-translation-dca9a56e47f899cf': ['asid/share-asid-unmap-window'],
  'translation/tlb-conflict-397435384d6335e5': ['asid/share-asid-cd-first', 'asid/share-asid-store-buffer'],
  'translation/tlb-conflict-f93474412b33dd9c': ['asid/share-asid-two-masters'],
};
