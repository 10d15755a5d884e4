/** Written by `npm run corpus`: names of bugs (see `engine/bug/bug.ts`), and the hazards that show as them. */
export const bugs: Readonly<Record<string, readonly string[]>> = {
  'invalidation/over-invalidation-7f6bc05e6a0353f9': ['btm-over-invalidation-s2'],
  'invalidation/over-invalidation-874c2c6947cafdae': ['btm-over-invalidation-s2'],
  'tags/pinned-shared-1db906aa1cb2186d': ['vmid-used-unpinned'],
  'tags/pinned-shared-6c3472611889da88': ['vmid-used-unpinned'],
  'tags/tag-not-disjoint-12fa59c15b07bf24': ['pinned-vmid-alias-private'],
  'tags/tag-not-disjoint-4728131bba62c3be': ['private-vmid-range-off-by-one'],
  'tags/tag-not-disjoint-5b3e50060a872857': ['private-vmid-range-off-by-one'],
  'tags/tag-not-disjoint-c427e8fafaa6199f': ['pinned-vmid-alias-private'],
  'tags/tag-not-disjoint-d6e3c26909e38c94': ['pinned-vmid-alias-private'],
  'tags/tag-not-disjoint-e781ea5426c342b9': ['pinned-vmid-alias-private'],
};
