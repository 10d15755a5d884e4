import { describe, expect, it } from 'vitest';
import { CORRECT_PARTS, type KernelParts } from '../../../impl/kernel/index.ts';
import { ASID_HAZARDS } from './index.ts';

describe('the hazards of family asid', () => {
  it('have unique names in kebab-case', () => {
    const ids = ASID_HAZARDS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  });

  it.each(ASID_HAZARDS.map((hazard) => [hazard.id, hazard] as const))(
    '%s replaces one part by a subclass',
    (_id, hazard) => {
      const parts = Object.entries(hazard.parts) as [keyof KernelParts, { prototype: object }][];
      expect(parts).toHaveLength(1);
      for (const [name, part] of parts) {
        expect(part.prototype).toBeInstanceOf(CORRECT_PARTS[name]);
        const overridden = Object.getOwnPropertyNames(part.prototype).filter((method) => method !== 'constructor');
        for (const method of overridden) expect(CORRECT_PARTS[name].prototype).toHaveProperty(method);
      }
      expect(hazard.expected.length).toBeGreaterThan(0);
      expect(hazard.citation.length).toBeGreaterThan(10);
      expect(hazard.story).toMatch(/\.$/);
    },
  );
});
