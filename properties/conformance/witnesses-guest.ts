/** Which of the conditions about stage 2 a program has reached. */
import { EVENT_CLASS } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration, Context, Guest } from './configuration.ts';
import type { PartAnswer } from './deviation.ts';
import { guestPageIpa, guestPagesOf, guestsOf } from './guest.ts';
import { levelShift } from '../../model/architecture/arm/layout/index.ts';
import type { Operation } from './operation.ts';
import { entryAddress, isBridged } from './world.ts';

/** Conditions of stage 2, nesting and bridges. */
export const guestWitnessNames = [
  'behind-a-bridge',
  'combined-entry-survived-ipa-invalidation',
  'concatenated-tables-walked',
  'nested-translation',
  'splintered-block',
  'stage1-beside-nested',
  'stage2-changed-and-seen',
  'stage2-fault-of-cd',
  'stage2-fault-of-descriptor',
  'stage2-fault-of-input',
  'stage2-only-translation',
] as const;

/** Name of one of them. */
export type GuestWitness = (typeof guestWitnessNames)[number];

type Access = Extract<Operation, { kind: 'access' }>;

/** Which stages an access used. */
type Stages = 'stage1' | 'nested' | 'stage2';

const faultWitness = (kind: number): GuestWitness =>
  kind === EVENT_CLASS.CD
    ? 'stage2-fault-of-cd'
    : kind === EVENT_CLASS.TABLE
      ? 'stage2-fault-of-descriptor'
      : 'stage2-fault-of-input';

/** Follows a program as far as stage 2 is concerned. */
export class GuestWitnesses {
  readonly found = new Set<GuestWitness>();
  readonly #configuration: ConformanceConfiguration;
  readonly #attached = new Map<number, Extract<Operation, { kind: 'ste' }>>();
  /** What stands in an entry of stage 1 at block levels: a block, or something else. */
  readonly #blocks = new Map<number, boolean>();
  readonly #pagesOfBlock = new Map<number, Set<number>>();
  readonly #reached = new Map<string, number>();
  readonly #stages = new Set<Stages>();
  #smallPages = false;
  /** Since an access: stage 2 was changed; then an invalidation by IPA completed; nothing of stage 1 was invalidated. */
  #changed = false;
  #invalidated = false;

  constructor(configuration: ConformanceConfiguration) {
    this.#configuration = configuration;
  }

  /** Tells of an operation. */
  note(operation: Operation): void {
    if (operation.kind === 'ste') this.#attached.set(operation.stream, operation);
    else if (operation.kind === 'leaf' || operation.kind === 'table' || operation.kind === 'clear') {
      const { place } = operation;
      const block = operation.kind === 'leaf' && place.level < 3;
      if (place.level < 3) this.#blocks.set(entryAddress(this.#configuration, place), block);
    } else if (operation.kind === 'command') this.#command(operation);
    else if (operation.kind.startsWith('s2-')) {
      if (operation.kind === 's2-leaf' && operation.place.level === 3) this.#smallPages = true;
      if (this.#reached.size > 0) {
        this.#changed = true;
        this.#invalidated = false;
      }
    }
  }

  /** Tells what came of a part of an access; `choices` outcomes were permitted. */
  answer(access: Access, { part, events }: PartAnswer, choices: number): void {
    for (const { S2, CLASS } of events) if (S2 === 1) this.found.add(faultWitness(CLASS));
    if (part.kind !== 'memory') return;
    if (isBridged(this.#configuration.devices[access.stream] as number)) this.found.add('behind-a-bridge');
    const ste = this.#attached.get(access.stream);
    if (ste === undefined || ste.form === 'bypass') return;
    const context = this.#configuration.contexts[ste.context] as Context;
    const stages = context.guest === undefined ? 'stage1' : ste.stage1Off === true ? 'stage2' : 'nested';
    this.#stages.add(stages);
    if (this.#stages.has('stage1') && this.#stages.has('nested')) this.found.add('stage1-beside-nested');
    if (context.guest === undefined) return;
    this.found.add(stages === 'stage2' ? 'stage2-only-translation' : 'nested-translation');
    if (this.#concatenated(context.guest)) this.found.add('concatenated-tables-walked');
    if (stages === 'nested') this.#noteBlock(access, context);
    const slot = `${access.stream}/${access.page}/${access.half}/${ste.context}/${stages}`;
    const before = this.#reached.get(slot);
    if (this.#changed && before !== undefined && before !== part.pa) this.found.add('stage2-changed-and-seen');
    if (this.#invalidated && stages === 'nested' && before === part.pa && choices > 1)
      this.found.add('combined-entry-survived-ipa-invalidation');
    this.#reached.set(slot, part.pa);
  }

  #command({ command, sync }: Extract<Operation, { kind: 'command' }>): void {
    if (command.opcode === 'TLBI_S2_IPA') this.#invalidated = this.#changed && sync;
    else if (command.opcode.startsWith('TLBI')) this.#changed = this.#invalidated = false;
  }

  #noteBlock(access: Access, { low, high }: Context): void {
    const tree = access.half === 1 ? high : low;
    if (tree === undefined) return;
    const entry = entryAddress(this.#configuration, { tree, page: access.page, level: 2, copy: 0 });
    if (this.#blocks.get(entry) !== true) return;
    const pages = this.#pagesOfBlock.get(entry) ?? new Set();
    pages.add(access.page);
    this.#pagesOfBlock.set(entry, pages);
    if (pages.size > 1 && this.#smallPages) this.found.add('splintered-block');
  }

  /** Whether the walks of a guest use more than the first of its root tables. */
  #concatenated(guest: number): boolean {
    const { granule, inputBits, startLevel } = guestsOf(this.#configuration)[guest] as Guest;
    const one = levelShift(granule, startLevel - 1);
    return (
      inputBits > one &&
      guestPagesOf(this.#configuration).some((_, page) => guestPageIpa(this.#configuration, page) >= 2 ** one)
    );
  }
}
