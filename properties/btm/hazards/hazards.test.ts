import { describe, expect, it } from 'vitest';
import { KvmHyp, KvmMmu, KvmVcpus, KvmVmid } from '../../../impl/kernel/kvm/index.ts';
import { CORRECT_NESTED_PARTS } from '../../../impl/kernel/nested/index.ts';
import {
  DeviceProbe,
  IommufdContexts,
  VirtualMachines,
  VbtmDomains,
  VbtmGuest,
} from '../../../impl/kernel/vbtm/index.ts';
import { BTM_HAZARDS } from './index.ts';

const CORRECT: Readonly<Record<string, object>> = {
  ...CORRECT_NESTED_PARTS,
  domains: VbtmDomains,
  guest: VbtmGuest,
  iommufd: IommufdContexts,
  probe: DeviceProbe,
  vmid: KvmVmid,
  hyp: KvmHyp,
  mmu: KvmMmu,
  vcpus: KvmVcpus,
  machines: VirtualMachines,
};

describe('the hazards of family btm', () => {
  it('have unique names in kebab-case', () => {
    const ids = BTM_HAZARDS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  });

  it.each(BTM_HAZARDS.map((hazard) => [hazard.id, hazard] as const))(
    '%s replaces one part by a subclass',
    (_id, hazard) => {
      const parts = Object.entries(hazard.parts) as [string, { prototype: object }][];
      expect(parts).toHaveLength(1);
      for (const [name, part] of parts) expect(part.prototype).toBeInstanceOf(CORRECT[name] as new () => object);
      expect(hazard.expected.length).toBeGreaterThan(0);
      expect(hazard.citation.length).toBeGreaterThan(10);
      expect(hazard.story).toMatch(/\.$/);
    },
  );
});
