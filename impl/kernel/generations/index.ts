/** What allocators of ASIDs and of VMIDs share: ids with a generation, and bitmaps. */
export * from './bitmap.ts';
export * from './tag-id.ts';
