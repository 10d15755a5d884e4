import { describe, expect, it } from 'vitest';
import { CORRECT_NESTED_PARTS, type NestedParts } from '../../../impl/kernel/nested/index.ts';
import { SMMU_HAZARDS } from './index.ts';

describe('the hazards of family smmu', () => {
  it('have unique names in kebab-case', () => {
    const ids = SMMU_HAZARDS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  });

  it.each(SMMU_HAZARDS.map((hazard) => [hazard.id, hazard] as const))(
    '%s replaces one part by a subclass',
    (_id, hazard) => {
      const parts = Object.entries(hazard.parts) as [keyof NestedParts, { prototype: object }][];
      expect(parts).toHaveLength(1);
      for (const [name, part] of parts) expect(part.prototype).toBeInstanceOf(CORRECT_NESTED_PARTS[name]);
      expect(hazard.expected.length).toBeGreaterThan(0);
      expect(hazard.citation.length).toBeGreaterThan(10);
      expect(hazard.story).toMatch(/\.$/);
    },
  );
});
