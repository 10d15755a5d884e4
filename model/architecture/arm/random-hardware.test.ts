import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { decodeContextDescriptor } from './configuration/context-descriptor.ts';
import { stepDescriptor } from './translation/descriptor-step.ts';
import { FULL_FEATURES } from './layout/features.ts';
import { coversTlb, decodeCommand, type Command, type TlbTarget } from './commands/invalidation.ts';
import { levelShift } from './layout/descriptor.ts';
import { decodeStreamEntry } from './configuration/stream-entry.ts';
import { operations, PAGES, programWorld, STREAMS } from './testing/programs.ts';
import { AT, shortly, SYNC, type TestWorld } from './testing/world.ts';
import type { Slot } from './universe.ts';

/**
 * Hardware that makes its own choices at random: when it fetches which word of which structure, what it keeps and
 * forgets, when it begins, continues and finishes a walk, when a command takes effect. It knows nothing of how the model
 * works; whatever it answers, the model must permit.
 */

interface Entry extends TlbTarget {
  /** For a leaf the address of its page; for a table its address. */
  readonly to: number;
  readonly hierarchy: number;
}

interface Walk {
  readonly streamId: number;
  readonly va: number;
  readonly asid: number;
  readonly vmid: number;
  table: number;
  level: number;
  hierarchy: number;
  /** Held tables that it has used: an invalidation of one stops the walk. */
  readonly used: TlbTarget[];
}

type Words = (readonly [number, number] | undefined)[];

class RandomHardware {
  readonly #world: TestWorld;
  readonly #next: (below: number) => number;
  #stes = new Map<number, Words>();
  #cds = new Map<number, Words>();
  #tlb: Entry[] = [];
  #walks: Walk[] = [];
  #commands: Command[] = [];

  constructor(world: TestWorld, next: (below: number) => number) {
    this.#world = world;
    this.#next = next;
  }

  submit(lanes: number[]): void {
    this.#commands.push(decodeCommand(FULL_FEATURES, lanes));
  }

  /** Everything submitted completes. */
  finish(): void {
    while (this.#commands.length > 0) this.#command();
  }

  /** Does something that nobody asked for. */
  wander(): void {
    const streamId = STREAMS[this.#next(2)] as number;
    switch (this.#next(8)) {
      case 0:
        this.#fetch(this.#stes, streamId, AT.streamTable + 64 * streamId);
        return;
      case 1:
        if (this.#entry(streamId) !== undefined) this.#fetch(this.#cds, streamId, AT.cds + 0x1000 * streamId);
        return;
      case 2:
        this.#tlb = this.#tlb.filter(() => this.#next(4) > 0);
        return;
      case 3:
        if (this.#commands.length > 0) this.#command();
        return;
      case 4:
        this.#begin(streamId, PAGES[this.#next(PAGES.length)] as number);
        return;
      default: {
        const walk = this.#walks[this.#next(this.#walks.length + 1)];
        if (walk !== undefined) this.#continue(walk);
      }
    }
  }

  /** The answer to an access now, by whatever is held and fetched; in the letters of `shortly`. */
  access(streamId: number, va: number): string {
    this.#complete(this.#stes, streamId, AT.streamTable + 64 * streamId);
    const entry = this.#entry(streamId);
    if (entry === undefined) return 'f4';
    this.#complete(this.#cds, streamId, AT.cds + 0x1000 * streamId);
    const cd = this.#descriptor(streamId);
    if (cd === undefined) return 'fa';
    const page = va / 4096;
    const matching = this.#tlb.filter(
      (held) =>
        held.leaf &&
        held.vmid === entry.vmid &&
        (held.asid === cd.asid || held.asid === -1) &&
        page >= held.page &&
        page < held.page + held.pages,
    );
    const hit = matching[this.#next(matching.length + 1)];
    if (hit !== undefined) return `→${(hit.to + (page - hit.page) * 4096).toString(16)}`;
    const walk = this.#begin(streamId, va);
    if (walk === undefined) return 'fa';
    let result = this.#continue(walk);
    while (result === 'on') result = this.#continue(walk);
    return result;
  }

  #fetch(cache: Map<number, Words>, streamId: number, pa: number): void {
    const words = cache.get(streamId) ?? [undefined, undefined, undefined];
    const at = this.#next(3);
    // A word that is cached stays; a structure that is not complete may be dropped and fetched again.
    words[at] ??= [this.#world.memory.low(pa + 8 * at), this.#world.memory.high(pa + 8 * at)];
    cache.set(streamId, words);
    if (this.#next(6) === 0) cache.delete(streamId);
  }

  #complete(cache: Map<number, Words>, streamId: number, pa: number): void {
    const words = cache.get(streamId) ?? [undefined, undefined, undefined];
    for (const at of [0, 1, 2])
      words[at] ??= [this.#world.memory.low(pa + 8 * at), this.#world.memory.high(pa + 8 * at)];
    cache.set(streamId, words);
  }

  #entry(streamId: number): { vmid: number } | undefined {
    const words = this.#stes.get(streamId);
    if (words === undefined || words.includes(undefined)) return undefined;
    const entry = decodeStreamEntry(
      FULL_FEATURES,
      words.flatMap((word) => word as [number, number]),
    );
    return entry.kind === 'stage1' ? entry : undefined;
  }

  #descriptor(streamId: number): ReturnType<typeof decodeContextDescriptor> {
    const words = this.#cds.get(streamId);
    if (words === undefined || words.includes(undefined)) return undefined;
    const entry = {
      kind: 'stage1',
      contextPtr: 0,
      split: -1,
      cdMax: 0,
      s1dss: 0,
      vmid: 0,
      stallDisabled: false,
      override: 0,
    };
    return decodeContextDescriptor(
      FULL_FEATURES,
      entry as never,
      words.flatMap((word) => word as [number, number]),
    );
  }

  #begin(streamId: number, va: number): Walk | undefined {
    const entry = this.#entry(streamId);
    const cd = this.#descriptor(streamId);
    const start = cd?.tables[0];
    if (entry === undefined || cd === undefined || start === undefined) return undefined;
    const { asid } = cd;
    const { vmid } = entry;
    const walk: Walk = { streamId, va, asid, vmid, table: start.address, level: start.level, hierarchy: 0, used: [] };
    const page = va / 4096;
    const caches = this.#tlb.filter(
      (held) =>
        !held.leaf && held.vmid === vmid && held.asid === asid && page >= held.page && page < held.page + held.pages,
    );
    const from = caches[this.#next(caches.length + 1)];
    if (from !== undefined) {
      walk.table = from.to;
      walk.level = from.level + 1;
      walk.hierarchy = from.hierarchy;
      walk.used.push(from);
    }
    this.#walks.push(walk);
    return walk;
  }

  /** Reads one descriptor; returns how the walk ended, or 'on'. */
  #continue(walk: Walk): string {
    const { memory } = this.#world;
    const { va, level, asid, vmid } = walk;
    const shift = levelShift(12, level);
    const pa = walk.table + 8 * (Math.floor(va / 2 ** shift) % 512);
    if (!memory.present(pa)) return this.#end(walk, 'fb');
    const by = { key: '', granule: 12, region: 0, inputBits: 39, outputBits: 48 } as const;
    const flags = { affd: false, had: false, wxn: false, pan: false, tbi: false, el2: false, stage2: undefined };
    const step = stepDescriptor({ ...by, ...flags }, level, walk.hierarchy, memory.low(pa), memory.high(pa));
    if (step.kind === 'fault') return this.#end(walk, `f${step.event.toString(16)}`);
    const pages = 2 ** (shift - 12);
    const page = Math.floor(va / 4096 / pages) * pages;
    const target = { stage: 1, vmid, asid, page, pages, sourcePage: page, granule: 12, level } as const;
    if (step.kind === 'leaf') {
      const held = { ...target, asid: step.global ? -1 : asid, leaf: true, to: step.pa, hierarchy: 0 };
      if (this.#next(4) > 0) this.#tlb.push(held);
      return this.#end(walk, `→${(step.pa + (va / 4096 - page) * 4096).toString(16)}`);
    }
    const table = { ...target, leaf: false, to: step.table, hierarchy: step.hierarchy };
    if (this.#next(3) > 0) this.#tlb.push(table);
    walk.used.push(table);
    walk.table = step.table;
    walk.level = level + 1;
    walk.hierarchy = step.hierarchy;
    return 'on';
  }

  #end(walk: Walk, result: string): string {
    this.#walks = this.#walks.filter((other) => other !== walk);
    return result;
  }

  /** One command takes effect: what it covers goes, and walks that it affects are stopped. */
  #command(): void {
    const command = this.#commands.shift();
    if (command?.kind === 'config') {
      for (let id = command.streamId; id < command.streamId + Math.min(command.streams, 64); id++) {
        if (command.ste) this.#stes.delete(id);
        this.#cds.delete(id);
      }
      // Walks by what was cached are stopped, as their configuration has gone.
      this.#walks = [];
    }
    if (command?.kind !== 'tlb') return;
    this.#tlb = this.#tlb.filter((entry) => !coversTlb(command, entry));
    this.#walks = this.#walks.filter(({ vmid, asid, va, used }) => {
      const page = va / 4096;
      const tag = { stage: 1, vmid, asid } as const;
      const leaf = { ...tag, page, pages: 1, sourcePage: page, granule: 12, level: 3, leaf: true };
      return !used.some((table) => coversTlb(command, table)) && !coversTlb({ ...command, leaf: false }, leaf);
    });
  }
}

describe('whatever hardware does', () => {
  test.prop([operations, fc.infiniteStream(fc.nat(0xffff))], { numRuns: 300 })('is permitted', (program, choices) => {
    const { world, tables, slots } = programWorld();
    const hardware = new RandomHardware(world, (below) => (choices.next().value as number) % below);
    for (const { apply, submits } of program) {
      apply(world, tables);
      for (const command of submits) hardware.submit(command);
      if (submits[0] === SYNC) hardware.finish();
      for (let choice = 0; choice < 6; choice++) hardware.wander();
      const slot = (choices.next().value as number) % slots.length;
      const { streamId, va } = slots[slot] as Slot;
      expect(world.smmu.outcomes(slot).map(shortly)).toContain(hardware.access(streamId, va));
    }
  });
});
