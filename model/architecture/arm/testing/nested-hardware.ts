import {
  coversTlb,
  decodeCommand,
  type Command,
  type TlbInvalidation,
  type TlbTarget,
} from '../commands/invalidation.ts';
import { decodeContextDescriptor, type ContextDescriptor } from '../configuration/context-descriptor.ts';
import { decodeStreamEntry, type StageOneEntry } from '../configuration/stream-entry.ts';
import { FULL_FEATURES } from '../layout/features.ts';
import { levelShift } from '../layout/descriptor.ts';
import { EVENT, EVENT_CLASS } from '../layout/event.ts';
import type { Outcome } from '../outcomes/outcome.ts';
import { CD_AT } from './nested-programs.ts';
import type { StageTwoWorld } from './stage-two.ts';
import { AT } from './world.ts';
import { stepDescriptor, type Interpretation } from '../translation/descriptor-step.ts';

/** An invalidation that has taken effect, and what completes it: the queue, or the DSB of a CPU. */
interface Effect {
  readonly command: Command;
  readonly by: 'queue' | number;
}

/** Something held. `ipa` names the descriptor of a combined fetch, for which `to` is its place. */
interface Entry extends TlbTarget {
  readonly kind: 'leaf' | 'table' | 'fetch';
  /** Of a leaf: what is at the start of its range. */
  readonly to: number;
  readonly ipa: number;
  readonly hierarchy: number;
  /** A leaf from input to physical addresses. */
  readonly combined: boolean;
  readonly readable: boolean;
  /** It must go when one of these completes. */
  late: readonly Effect[];
}

/** What a walk has come through, so that it knows which commands concern what it leaves behind. */
interface Walk {
  readonly va: number;
  readonly asid: number;
  readonly aset: number;
  table: number;
  level: number;
  hierarchy: number;
  readonly used: TlbTarget[];
  /** What took effect since it began, or since what it has come through was read. */
  effects: Effect[];
}

const PLAIN = { late: [], combined: false, readable: true, ipa: 0, hierarchy: 0 } as const;

/**
 * Hardware with two stages that makes its own choices at random: what it keeps and forgets of stage 1, of stage 2 and of
 * both combined, when it begins, continues and finishes a walk, when a command or a broadcast takes effect. It knows
 * nothing of how the model works; whatever it answers, the model must permit.
 */
export class NestedHardware {
  readonly #world: StageTwoWorld;
  readonly #next: (below: number) => number;
  readonly #entry: StageOneEntry;
  readonly #stageTwo: { interpretation: Interpretation; address: number; level: number };
  #descriptor: ContextDescriptor | undefined;
  #held: Entry[] = [];
  #walks: Walk[] = [];
  #commands: Command[] = [];
  /** Broadcasts that have not taken effect. */
  #broadcasts: Effect[] = [];

  constructor(world: StageTwoWorld, next: (below: number) => number) {
    this.#world = world;
    this.#next = next;
    const lanes = Array.from({ length: 8 }, (_, at) => {
      const pa = AT.streamTable + 64 + 8 * (at >> 1);
      return at % 2 === 0 ? world.memory.low(pa) : world.memory.high(pa);
    });
    const entry = decodeStreamEntry(FULL_FEATURES, lanes);
    if (entry.kind !== 'stage1' || entry.stage2 === undefined) throw new Error('stream 1 is not nested');
    this.#entry = entry;
    this.#stageTwo = entry.stage2.table;
  }

  submit(lanes: number[]): void {
    this.#commands.push(decodeCommand(FULL_FEATURES, lanes));
  }

  /** A CPU executes a broadcast TLBI. */
  broadcast(cpu: number, invalidation: TlbInvalidation): void {
    this.#broadcasts.push({ command: { ...invalidation, broadcast: true }, by: cpu });
  }

  /** A CPU executes a DSB. */
  synchronize(cpu: number): void {
    const own = this.#broadcasts.filter(({ by }) => by === cpu);
    this.#broadcasts = this.#broadcasts.filter(({ by }) => by !== cpu);
    for (const effect of own) this.#takeEffect(effect);
    this.#complete(cpu);
  }

  /** Everything submitted completes. */
  finish(): void {
    while (this.#commands.length > 0) this.#command();
    this.#complete('queue');
  }

  /** What has taken effect completes: walks that it concerns have ended, and what they left behind has gone. */
  #complete(source: Effect['by']): void {
    this.#held = this.#held.filter(({ late }) => late.every(({ by }) => by !== source));
    this.#walks = this.#walks.filter(({ used, effects }) =>
      effects.every(({ by, command }) => by !== source || !used.some((thing) => covers(command, thing))),
    );
    for (const walk of this.#walks) walk.effects = walk.effects.filter(({ by }) => by !== source);
  }

  wander(pages: readonly number[]): void {
    switch (this.#next(6)) {
      case 0:
        this.#held = this.#held.filter(() => this.#next(4) > 0);
        return;
      case 1:
        if (this.#next(2) === 0) this.#broadcast();
        else if (this.#commands.length > 0) this.#command();
        return;
      case 2:
        if (this.#fetchDescriptor() === undefined) this.#begin(pages[this.#next(pages.length)] as number);
        return;
      default: {
        const walk = this.#walks[this.#next(this.#walks.length + 1)];
        if (walk !== undefined) this.#continue(walk);
      }
    }
  }

  access(streamId: number, va: number): string {
    if (streamId === 2) return this.#translate(va, EVENT_CLASS.INPUT, this.#nothing(va)).result;
    const refused = this.#fetchDescriptor();
    if (refused !== undefined) return refused;
    const leaves = this.#matching(va).filter(({ kind }) => kind === 'leaf');
    const hit = leaves[this.#next(leaves.length + 1)];
    if (hit?.combined === true) return `→${(hit.to + va - hit.page * 4096).toString(16)}`;
    const walk = this.#begin(va);
    if (hit !== undefined) {
      use(walk, hit);
      return this.#output(walk, hit);
    }
    let result = this.#continue(walk);
    while (result === 'on') result = this.#continue(walk);
    return result;
  }

  /** Takes the CD from the cache or from memory; the result of the access if that is not possible. */
  #fetchDescriptor(): string | undefined {
    if (this.#descriptor !== undefined && this.#next(3) > 0) return undefined;
    const place = this.#translate(CD_AT, EVENT_CLASS.CD, this.#nothing(0));
    if (place.pa === undefined) return this.#descriptor === undefined ? place.result : undefined;
    const lanes = Array.from({ length: 6 }, (_, at) => {
      const pa = (place.pa as number) + 8 * (at >> 1);
      return at % 2 === 0 ? this.#world.memory.low(pa) : this.#world.memory.high(pa);
    });
    const descriptor = decodeContextDescriptor(FULL_FEATURES, this.#entry, lanes);
    if (descriptor === undefined) return this.#descriptor === undefined ? 'fa' : undefined;
    this.#descriptor = descriptor;
    return undefined;
  }

  #matching(va: number): Entry[] {
    const { asid, aset } = this.#descriptor as ContextDescriptor;
    const page = va / 4096;
    return this.#held.filter(
      (held) =>
        held.stage === 1 &&
        (held.asid === asid || (held.asid === -1 && held.aset === aset)) &&
        page >= held.page &&
        page < held.page + held.pages &&
        // A combined entry has a range for invalidation, and may serve less.
        (!held.combined || held.ipa === page),
    );
  }

  /** Stage 2 of an IPA, by what is held or by a walk. */
  #translate(ipa: number, reason: number, walk: Walk): { pa?: number; result: string } {
    const page = Math.floor(ipa / 4096);
    const of = this.#held.filter((held) => held.stage === 2 && page >= held.page && page < held.page + held.pages);
    const leaves = of.filter(({ kind }) => kind === 'leaf');
    const hit = leaves[this.#next(leaves.length + 1)];
    const name = `/2/${reason}/${reason === EVENT_CLASS.INPUT ? page * 4096 : ipa}`;
    if (hit !== undefined) return this.#through(hit, ipa, reason, name, walk);
    const { interpretation, address } = this.#stageTwo;
    const tables = of.filter(({ kind }) => kind === 'table');
    const from = tables[this.#next(tables.length + 1)];
    let table = from?.to ?? address;
    let level = from === undefined ? this.#stageTwo.level : from.level + 1;
    if (from !== undefined) use(walk, from);
    for (;;) {
      const shift = levelShift(12, level);
      const pa = table + 8 * (Math.floor(ipa / 2 ** shift) % 512);
      const { memory } = this.#world;
      const step = stepDescriptor(interpretation, level, 0, memory.low(pa), memory.high(pa));
      if (step.kind === 'fault') return { result: `f${step.event.toString(16)}${name}` };
      const pages = 2 ** (shift - 12);
      const start = Math.floor(page / pages) * pages;
      const target = {
        stage: 2,
        vmid: 1,
        asid: -1,
        page: start,
        pages,
        sourcePage: start,
        granule: 12,
        level,
      } as const;
      if (step.kind === 'leaf') {
        const readable = (step.permissions & 1) !== 0;
        const leaf: Entry = { ...PLAIN, ...target, leaf: true, kind: 'leaf', to: step.pa, readable };
        this.#hold(leaf, walk);
        return this.#through(leaf, ipa, reason, name, walk);
      }
      const held: Entry = { ...PLAIN, ...target, leaf: false, kind: 'table', to: step.table };
      this.#hold(held, walk);
      use(walk, held);
      table = step.table;
      level++;
    }
  }

  #through(leaf: Entry, ipa: number, reason: number, name: string, walk: Walk): { pa?: number; result: string } {
    use(walk, leaf);
    const pa = leaf.to + ipa - leaf.page * 4096;
    if (reason !== EVENT_CLASS.INPUT && !leaf.readable) return { result: `f${EVENT.F_PERMISSION.toString(16)}${name}` };
    return { pa, result: `→${pa.toString(16)}` };
  }

  /** Keeps something, or not. */
  #hold(entry: Entry, walk: Walk): void {
    if (this.#next(4) === 0) return;
    entry.late = walk.effects.filter(
      ({ command }) => covers(command, entry) && walk.used.some((thing) => covers(command, thing)),
    );
    this.#held.push(entry);
  }

  #nothing(va: number): Walk {
    return { va, asid: -1, aset: 0, table: 0, level: 0, hierarchy: 0, used: [], effects: [] };
  }

  #begin(va: number): Walk {
    const { asid, aset, tables } = this.#descriptor as ContextDescriptor;
    const [start] = tables;
    if (start === undefined) throw new Error('no start');
    const begun = { table: start.address, level: start.level, hierarchy: 0, used: [], effects: [] };
    const walk: Walk = { va, asid, aset, ...begun };
    const tablesHeld = this.#matching(va).filter(({ kind }) => kind === 'table');
    const from = tablesHeld[this.#next(tablesHeld.length + 1)];
    if (from !== undefined) {
      walk.table = from.to;
      walk.level = from.level + 1;
      walk.hierarchy = from.hierarchy;
      use(walk, from);
    }
    this.#walks.push(walk);
    return walk;
  }

  #continue(walk: Walk): string {
    const { va, asid, aset, level, table } = walk;
    const shift = levelShift(12, level);
    const ipa = table + 8 * (Math.floor(va / 2 ** shift) % 512);
    const above = 2 ** (shift + 9 - 12);
    const range = Math.floor(va / 4096 / above) * above;
    const fetches = this.#held.filter((held) => held.kind === 'fetch' && held.ipa === ipa && held.asid === asid);
    const held = fetches[this.#next(fetches.length + 1)];
    let pa = held?.to;
    if (held !== undefined) use(walk, held);
    else {
      const place = this.#translate(ipa, EVENT_CLASS.TABLE, walk);
      if (place.pa === undefined) return this.#end(walk, place.result);
      ({ pa } = place);
      const pages = level === 1 ? 2 ** 27 : above;
      const place1 = { stage: 1, vmid: 1, asid, aset, page: level === 1 ? 0 : range, pages, granule: 12 } as const;
      const fetch = { ...place1, sourcePage: place1.page, level: level - 1, leaf: false, kind: 'fetch', ipa, to: pa };
      this.#hold({ ...PLAIN, ...fetch } as Entry, walk);
    }
    return this.#read(walk, pa as number, shift);
  }

  #read(walk: Walk, pa: number, shift: number): string {
    const { va, asid, aset, level } = walk;
    const { memory } = this.#world;
    const by = this.#descriptor?.tables[0]?.interpretation as Interpretation;
    const step = stepDescriptor(by, level, walk.hierarchy, memory.low(pa), memory.high(pa));
    if (step.kind === 'fault') return this.#end(walk, `f${step.event.toString(16)}/1`);
    const pages = 2 ** (shift - 12);
    const page = Math.floor(va / 4096 / pages) * pages;
    const target = { stage: 1, vmid: 1, asid, aset, page, pages, sourcePage: page, granule: 12, level } as const;
    if (step.kind === 'leaf') {
      const tag = { ...target, asid: step.global ? -1 : asid };
      const leaf: Entry = { ...PLAIN, ...tag, leaf: true, kind: 'leaf', to: step.pa };
      this.#hold(leaf, walk);
      use(walk, leaf);
      return this.#output(walk, leaf);
    }
    const next: Entry = {
      ...PLAIN,
      ...target,
      leaf: false,
      kind: 'table',
      to: step.table,
      hierarchy: step.hierarchy,
    };
    this.#hold(next, walk);
    use(walk, next);
    walk.table = step.table;
    walk.level = level + 1;
    walk.hierarchy = step.hierarchy;
    return 'on';
  }

  /** Stage 2 of the output of stage 1. */
  #output(walk: Walk, leaf: Entry): string {
    const page = walk.va / 4096;
    const place = this.#translate(leaf.to + walk.va - leaf.page * 4096, EVENT_CLASS.INPUT, walk);
    if (place.pa !== undefined) {
      const to = place.pa - (page - leaf.page) * 4096;
      this.#hold({ ...leaf, combined: true, ipa: page, to, late: [] }, walk);
    }
    return this.#end(walk, place.result);
  }

  #end(walk: Walk, result: string): string {
    this.#walks = this.#walks.filter((other) => other !== walk);
    return result;
  }

  /**
   * One command takes effect, any of those before the next CMD_SYNC. Walks go on for a while, and know what they will
   * have to answer for.
   */
  #command(): void {
    const sync = this.#commands.findIndex(({ kind }) => kind === 'sync');
    const choice = sync === 0 ? 0 : this.#next(sync < 0 ? this.#commands.length : sync);
    const [command] = this.#commands.splice(choice, 1);
    if (command?.kind === 'config') {
      this.#descriptor = undefined;
      this.#walks = [];
    }
    if (command !== undefined) this.#takeEffect({ command, by: 'queue' });
  }

  /** One broadcast takes effect. */
  #broadcast(): void {
    const [effect] = this.#broadcasts.splice(this.#next(this.#broadcasts.length + 1), 1);
    if (effect !== undefined) this.#takeEffect(effect);
  }

  #takeEffect(effect: Effect): void {
    if (effect.command.kind !== 'tlb') return;
    this.#held = this.#held.filter((entry) => !covers(effect.command, entry));
    for (const walk of this.#walks) walk.effects.push(effect);
  }
}

/** A walk goes through something, which may have come late itself. */
function use(walk: Walk, thing: Entry): void {
  walk.used.push(thing);
  for (const effect of thing.late) if (!walk.effects.includes(effect)) walk.effects.push(effect);
}

function covers(command: Command, target: TlbTarget): boolean {
  return command.kind === 'tlb' && coversTlb(command, target);
}

/** An outcome in the letters of the hardware. */
export function letters(outcome: Outcome): string {
  if (outcome.kind === 'translation') return `→${outcome.pa.toString(16)}`;
  if (outcome.kind !== 'fault') return outcome.kind;
  const event = `f${outcome.event.toString(16)}`;
  if (outcome.stage2 !== undefined) return `${event}/2/${outcome.stage2.class}/${outcome.stage2.ipa}`;
  return outcome.event >= EVENT.F_TRANSLATION ? `${event}/1` : event;
}
