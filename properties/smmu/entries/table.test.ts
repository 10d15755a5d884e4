import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isMinimal, markdown, plans } from './table.ts';

const DOCUMENT = new URL('../../../docs/entry-updates.md', import.meta.url);

test.each(['ste', 'cd'] as const)('the table of %s in the documentation is that of the code', (subject) => {
  expect(readFileSync(DOCUMENT, 'utf8')).toContain(markdown(subject));
});

test('no update is made without a gap that cannot be, and no more is invalidated than what is necessary with V=0', () => {
  for (const pair of plans('ste').flat()) {
    const { breaking, syncs, necessary } = pair;
    if (!breaking) expect(necessary.hitless.exact).toBeLessThanOrEqual(syncs);
    else expect(necessary.breaking.exact).toBeLessThanOrEqual(syncs);
  }
  expect(plans('cd').flat().every(isMinimal)).toBe(true);
});
