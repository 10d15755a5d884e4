/**
 * Generates conformance programs: reproducible by seed, swarm-tested, and weighted from what the program has done so far
 * (what was accessed is changed; what was changed is invalidated; what was invalidated is accessed again).
 */
import { Random } from '../../engine/random.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { percent, pick, weighted } from './choices.ts';
import type { Choices } from './choices.ts';
import type { Context } from './configuration.ts';
import { conformanceFeatures } from './conformance-features.ts';
import { chooseFeatures } from './features.ts';
import {
  chooseAttachment,
  chooseLeaf,
  chooseStructureChange,
  chooseTable,
  chooseTableChange,
} from './generate-changes.ts';
import type { Generation } from './generate-changes.ts';
import { chooseCommand, coverChange } from './generate-commands.ts';
import { chooseConfiguration } from './generate-configuration.ts';
import { chooseGuestChange, mapGuest } from './generate-guest.ts';
import { guestsOf } from './guest.ts';
import type { AccessKind, CommandOperation, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { isBridged, isRocker, rootLevel } from './world.ts';

/** A generated program and the features that shaped it. */
export interface GeneratedProgram extends ConformanceProgram {
  readonly features: readonly string[];
}

type Access = Extract<Operation, { kind: 'access' }>;

/** The program of a seed for a device. */
export const programOfSeed = (seed: number, device: SmmuFeatures = conformanceFeatures): GeneratedProgram =>
  generateProgram(new Random(seed), device);

/** Generates a program from a source of choices. */
export const generateProgram = (choices: Choices, device: SmmuFeatures = conformanceFeatures): GeneratedProgram => {
  const features = chooseFeatures(choices, device);
  const configuration = chooseConfiguration(choices, features, device);
  const generation: Generation = { choices, features, configuration };
  const operations = [...prologue(generation)];
  const state: State = { attached: attachedBy(operations), recent: [], uncovered: undefined };
  const steps = 6 + choices.below(36);
  for (let step = 0; step < steps; step++) extend(generation, state, operations);
  return { configuration, operations, features: [...features] };
};

/** What the generator remembers of a program. */
interface State {
  /** Context that each stream's entry names, as last written. */
  readonly attached: number[];
  /** Accesses made, the latest last. */
  recent: Access[];
  /** The last change that no command covers yet. */
  uncovered: Operation | undefined;
}

/**
 * Attaches every stream to a context, maps every page and switches translation on: ordinary operations, so that
 * minimising can drop them. What is written while translation is off needs no invalidation.
 */
function* prologue(generation: Generation): Generator<Operation> {
  const { choices, configuration, features } = generation;
  if (configuration.twoLevelStreams || features.has('stream-format')) yield* firstLevel(generation);
  for (const guest of guestsOf(configuration).keys()) yield* mapGuest(generation, guest);
  const twins = (tree: boolean): boolean => tree && features.has('twins') && percent(choices, 40);
  for (const [context, { guest }] of configuration.contexts.entries()) {
    yield { kind: 'cd', context, form: 'valid', copy: 0 };
    if (twins(guest !== undefined)) yield { kind: 'cd', context, form: 'valid', copy: 0, twin: true };
  }
  for (const stream of configuration.devices.keys()) {
    const context = stream < configuration.contexts.length ? stream : choices.below(configuration.contexts.length);
    yield chooseAttachment(generation, stream, context, 'translate');
  }
  for (const [tree, shape] of configuration.trees.entries())
    for (const page of configuration.pages.keys()) {
      if (percent(choices, 15)) continue;
      const block = features.has('blocks') && rootLevel(shape) <= 2 && percent(choices, 30);
      const bottom = block ? 2 : 3;
      for (let level = rootLevel(shape); level < bottom; level++)
        yield chooseTable(generation, { tree, page, level, copy: 0 }, 0);
      yield chooseLeaf(generation, { tree, page, level: bottom, copy: 0 });
      // What the page's walk finds where stage 2 leads to the other place.
      if (twins(shape.guest === true)) {
        for (let level = rootLevel(shape); level < bottom; level++)
          yield chooseTable(generation, { tree, page, level, copy: 0, twin: true }, 0);
        yield chooseLeaf(generation, { tree, page, level: bottom, copy: 0, twin: true });
      }
      // A second copy of the last table, so that changing an upper entry leads somewhere.
      if (features.has('upper-levels') && bottom === 3) yield chooseLeaf(generation, { tree, page, level: 3, copy: 1 });
    }
  yield { kind: 'enable', on: true };
}

/** The descriptors of the first level of the stream table for the devices of a program. */
function* firstLevel({ configuration }: Generation): Generator<Operation> {
  const { devices } = configuration;
  if (devices.some((device) => !isBridged(device))) yield { kind: 'stream-table', form: 'valid' };
  for (const [stream, device] of devices.entries())
    if (isBridged(device)) yield { kind: 'stream-table', form: 'valid', stream };
}

const attachedBy = (operations: readonly Operation[]): number[] => {
  const attached: number[] = [];
  for (const operation of operations) if (operation.kind === 'ste') attached[operation.stream] = operation.context;
  return attached;
};

const extend = (generation: Generation, state: State, operations: Operation[]): void => {
  const { choices, features } = generation;
  const add = (operation: Operation): void => {
    operations.push(operation);
    if (operation.kind === 'ste') state.attached[operation.stream] = operation.context;
  };
  const command = (chosen: CommandOperation): void =>
    add({ kind: 'command', command: chosen, sync: !(features.has('no-sync') && percent(choices, 30)) });
  const change = (): void => {
    const structure = features.has('structures') && percent(choices, 40);
    const near = structure ? undefined : state.recent.at(-1 - choices.below(3));
    const operation = structure ? chooseStructureChange(generation) : changeNear(generation, state, near);
    add(operation);
    state.uncovered = operation;
  };
  const cover = (): void => {
    const covering = state.uncovered === undefined ? [] : coverChange(generation, state.uncovered);
    for (const chosen of covering) command(chosen);
    if (covering.length > 0) state.uncovered = undefined;
  };
  const access = (): void => {
    const chosen = chooseAccess(generation, state);
    add(chosen);
    state.recent = [...state.recent.slice(-5), chosen];
  };
  weighted<() => void>(choices, [
    [state.recent.length > 0 && state.uncovered === undefined ? 30 : 10, change],
    [state.uncovered === undefined ? 0 : 50, cover],
    [6, () => command(chooseCommand(generation))],
    [state.uncovered === undefined ? 50 : 15, access],
    [
      features.has('enable-toggle') ? 2 : 0,
      () => toggle(add, access, features.has('global-abort') && percent(choices, 50)),
    ],
    [
      features.has('overflow') ? 1 : 0,
      () => add({ kind: 'overflow', stream: choices.below(generation.configuration.devices.length) }),
    ],
    [features.has('stream-format') ? 2 : 0, () => add({ kind: 'stream-format', twoLevel: percent(choices, 50) })],
  ])();
};

/** Switches translation off and on again, with or without an access in between. */
const toggle = (add: (operation: Operation) => void, access: () => void, abort: boolean): void => {
  add({ kind: 'enable', on: false, ...(abort ? { abort } : {}) });
  access();
  add({ kind: 'enable', on: true });
};

/** A table change on the walk of a recent access, or anywhere. */
const changeNear = (generation: Generation, state: State, near: Access | undefined): Operation => {
  const { choices, configuration } = generation;
  const guests = guestsOf(configuration).length;
  if (near === undefined && guests > 0 && percent(choices, 40))
    return chooseGuestChange(generation, choices.below(guests), undefined);
  if (near === undefined || percent(choices, 25))
    return chooseTableChange(
      generation,
      choices.below(configuration.trees.length),
      choices.below(configuration.pages.length),
    );
  const context = configuration.contexts[state.attached[near.stream] ?? 0] as Context;
  if (context.guest !== undefined && percent(choices, 55))
    return chooseGuestChange(generation, context.guest, near.page);
  const tree = near.half === 1 && context.high !== undefined ? context.high : context.low;
  return chooseTableChange(
    generation,
    tree,
    percent(choices, 80) ? near.page : choices.below(configuration.pages.length),
  );
};

/** Access kinds that a device can do. */
export const accessKinds = (device: number): readonly AccessKind[] =>
  isRocker(device) ? ['write', 'swap'] : ['read', 'write'];

const chooseAccess = (generation: Generation, state: State): Access => {
  const { choices, features, configuration } = generation;
  const again = state.recent.length > 0 && percent(choices, 70) ? pick(choices, state.recent) : undefined;
  const stream =
    again !== undefined && percent(choices, 75) ? again.stream : choices.below(configuration.devices.length);
  const context = configuration.contexts[state.attached[stream] ?? 0] as Context;
  const half = again?.half ?? (context.high !== undefined && percent(choices, 40) ? 1 : 0);
  const tagged = features.has('tags') && percent(choices, 50);
  const beyond = features.has('out-of-range-input') && percent(choices, 8);
  return {
    kind: 'access',
    stream,
    access: pick(choices, accessKinds(configuration.devices[stream] as number)),
    page: again !== undefined && percent(choices, 85) ? again.page : choices.below(configuration.pages.length),
    half,
    ...(tagged ? { tag: pick(choices, [0x5a, 0xa5]) } : {}),
    ...(beyond ? { beyond } : {}),
  };
};
