import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { decodeCommand, type Command } from '../commands/invalidation.ts';
import { FULL_FEATURES } from '../layout/features.ts';
import { REGISTER } from '../layout/register.ts';
import { StageTwoWorld } from '../testing/stage-two.ts';
import { AT, atcInv, cfgi, SYNC, tlbi } from '../testing/world.ts';
import { coversAtc, type AtcTarget } from './atc-invalidation.ts';

/** A device with ATS behind both stages, while software changes tables, EATS and ATSCHK as it likes. */

const features = { ...FULL_FEATURES, ats: true };
const PAGES = [0x1000, 0x2000] as const;
const IPAS = [0x18_0000, 0x18_1000, 0x18_2000] as const;
const slots = PAGES.map((va) => ({ streamId: 1, substream: -1, va, ats: true as const }));
const READ = { write: false, privileged: false, instruction: false };

interface Made {
  readonly world: StageTwoWorld;
  readonly bottom: number;
}

function made(): Made {
  const world = new StageTwoWorld(slots, features);
  const { top, middle, bottom } = world.tree(PAGES[0]);
  world.identity(AT.cds + 0x1000, top, middle, bottom);
  world.mapIpa(IPAS[0], 0x70_0000);
  world.map(bottom, PAGES[0], IPAS[0]);
  world.cd(1, { ASID: 5, TTB0: top });
  world.steTwo(1, { Config: 7, EATS: 2 });
  world.smmu.writeRegister(REGISTER.CR0, 9 | (1 << 4));
  return { world, bottom };
}

interface Operation {
  readonly apply: (made: Made) => void;
  readonly submits: readonly number[][];
}

function does(apply: Operation['apply']): Operation {
  return { apply, submits: [] };
}

function submit(lanes: number[]): Operation {
  return { apply: ({ world }) => world.issue(lanes), submits: [lanes] };
}

const page = fc.constantFrom(...PAGES);
const ipa = fc.constantFrom(...IPAS);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(page, fc.option(ipa)).map(([va, to]) => does(({ world, bottom }) => world.map(bottom, va, to ?? undefined))),
  fc
    .tuple(ipa, fc.nat(4))
    .map(([from, to]) => does(({ world }) => world.mapIpa(from, to === 0 ? undefined : 0x70_0000 + to * 0x1000))),
  fc
    .tuple(fc.nat(2), fc.constantFrom(6, 7), fc.constantFrom(1, 2))
    .map(([EATS, Config, S2VMID]) => does(({ world }) => world.steTwo(1, { Config, EATS, S2VMID }))),
  fc
    .nat(3)
    .map((bits) =>
      does(({ world }) => world.smmu.writeRegister(REGISTER.CR0, 8 | (bits === 0 ? 0 : 1) | ((bits & 1) << 4))),
    ),
  fc.boolean().map((on) => does(({ world }) => world.smmu.ats?.setEnabled(1, on))),
  page.map((Address) => submit(atcInv({ StreamID: 1, Address }))),
  fc.constant(submit(atcInv({ StreamID: 1, Size: 52 }))),
  fc.constant(submit(tlbi('TLBI_NSNH_ALL'))),
  ipa.map((Address) => submit(tlbi('TLBI_S2_IPA', { VMID: 1, Address }))),
  page.map((Address) => submit(tlbi('TLBI_NH_VA', { VMID: 1, ASID: 5, Address }))),
  fc.constant(submit(cfgi('CFGI_STE', { StreamID: 1 }))),
  { weight: 4, arbitrary: fc.constant<Operation>({ apply: ({ world }) => world.sync(), submits: [SYNC] }) },
);
const program = fc.array(operation, { minLength: 5, maxLength: 40 });

function targetOf(slot: number): AtcTarget {
  return { streamId: 1, substream: -1, page: (PAGES[slot] as number) / 4096 };
}

function everything({ world }: Made): string[][] {
  return slots.map((_slot, index) => world.see(index));
}

describe('a device behind both stages', () => {
  test.prop([program, fc.infiniteStream(fc.nat(0xffff))], { numRuns: 25 })(
    'is within the model',
    (operations, choices) => {
      const now = made();
      const { smmu } = now.world;
      let held: { slot: number; address: number }[] = [];
      let commands: Command[] = [];
      const next = (below: number): number => (choices.next().value as number) % below;
      for (const { apply, submits } of operations) {
        apply(now);
        // CMD_ATC_INV is ignored if the SMMU is disabled when it is processed; this device waits as long as it can.
        if ((smmu.readRegister(REGISTER.CR0) & 1) === 0) commands = [];
        else for (const lanes of submits) commands.push(decodeCommand(features, lanes));
        if (submits[0] === SYNC)
          for (const command of commands.splice(0))
            if (command.kind === 'atc') held = held.filter(({ slot }) => !coversAtc(command, targetOf(slot)));
        if (smmu.ats?.enabled(1) !== true) continue;
        for (let choice = 0; choice < 3; choice++) {
          const slot = next(slots.length);
          const completions = smmu.ats.completions(slot, READ);
          const granted = completions.flatMap((one) => (one.kind === 'granted' && one.read ? [one.address] : []));
          const address = granted[next(granted.length + 1)];
          if (address !== undefined) held.push({ slot, address });
        }
        for (const { slot, address } of held) {
          const results = smmu.outcomes(slot).flatMap((one) => {
            const known = one.kind === 'translated' && one.address === address;
            return known ? [smmu.ats?.resultOf(one, slot, READ)] : [];
          });
          expect(results).not.toEqual([]);
          for (const result of smmu.ats.translated(slot, address, false)) expect(results).toContainEqual(result);
        }
      }
    },
  );

  test.prop([program, program], { numRuns: 8 })(
    'steps back, and does not depend on what was explored',
    (explored, operations) => {
      const now = made();
      const mark = now.world.store.mark();
      for (const { apply } of explored) apply(now);
      now.world.store.rollback(mark);
      now.world.prod = 0;
      const other = made();
      for (const { apply } of operations) {
        apply(now);
        apply(other);
        expect(everything(now)).toEqual(everything(other));
      }
    },
  );

  test.prop([program], { numRuns: 15 })('keeps nothing when all has been invalidated', (operations) => {
    const now = made();
    const { world } = now;
    for (const { apply } of operations) apply(now);
    world.smmu.writeRegister(REGISTER.CR0, 9 | (1 << 4));
    world.smmu.ats?.setEnabled(1, true);
    world.steTwo(1, { Config: 7, EATS: 2 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    world.sync(tlbi('TLBI_NSNH_ALL'));
    world.sync(atcInv({ StreamID: 1, Size: 52 }));
    const fresh = made();
    for (const pa of [fresh.bottom + 8, fresh.bottom + 16, ...IPAS.map((at) => fresh.world.pages + at / 512)])
      fresh.world.word(pa, world.memory.low(pa), world.memory.high(pa));
    fresh.world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    fresh.world.sync(tlbi('TLBI_NSNH_ALL'));
    fresh.world.sync(atcInv({ StreamID: 1, Size: 52 }));
    expect(everything(now)).toEqual(everything(fresh));
  });
});
