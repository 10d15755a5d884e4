import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

// A mirror that lacks packages for other platforms makes npm leave them out of the lock file without a word, and then
// `npm ci` refuses to install anywhere.
test('the lock file knows every optional dependency, those for other platforms included', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  );
  expect(missing).toEqual([]);
});

test('the lock file names no registry: packages come from the one that is configured', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
});
