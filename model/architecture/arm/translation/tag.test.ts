import { describe, expect, it } from 'vitest';
import { TagTable } from './tag.ts';

describe('tags', () => {
  it('are one object for one VMID and ASID', () => {
    const table = new TagTable(2);
    const tags = [0, 1, 2, 0xffff].flatMap((vmid) => [0, 1, 2, 0xffff].map((asid) => table.tag(vmid, asid)));
    expect(new Set(tags).size).toBe(16);
    expect(table.tag(1, 2)).toBe(tags[6]);
    expect(table.tag(1, 2)).toMatchObject({ vmid: 1, asid: 2 });
    expect(table.tag(1, 2).holds).toHaveLength(2);
  });

  it('of global entries are one object for one VMID and ASET', () => {
    const table = new TagTable(1);
    const tags = [0, 1, 2, 3, 4].flatMap((vmid) => [0, 1].map((aset) => table.global(vmid, aset)));
    expect(new Set(tags).size).toBe(10);
    expect(table.global(2, 1)).toBe(tags[5]);
    expect(table.global(2, 1)).toMatchObject({ vmid: 2, aset: 1 });
  });

  it('of stage 2 have no ASID', () => {
    const table = new TagTable(1);
    expect(table.stageTwo(3)).toBe(table.stageTwo(3));
    expect(table.stageTwo(3)).not.toBe(table.stageTwo(4));
    expect(table.stageTwo(3)).toMatchObject({ vmid: 3, asid: -1, holds: [] });
  });
});
