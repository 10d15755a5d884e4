import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { measureReuse, type Measured } from './reuse.ts';

const NUMBERS = 4;
const MEASURED: readonly (readonly [Measured, 'lowest' | 'cyclic'])[] = [
  ['deferred', 'lowest'],
  ['deferred', 'cyclic'],
  ['mutex', 'lowest'],
  ['mutex', 'cyclic'],
  ['owner', 'lowest'],
  ['owner', 'cyclic'],
  ['unheard', 'cyclic'],
];

test.each(MEASURED)('the document says how soon numbers come again: %s, %s', (design, policy) => {
  const { shortest, longest, highest } = measureReuse(design, policy, NUMBERS);
  const line = `| \`${design}\` | ${policy} | ${shortest} | ${longest === 0 ? 'not at all' : longest} | ${highest} |`;
  expect(readFileSync('docs/findings/free-versus-unbind.md', 'utf8')).toContain(line);
});
