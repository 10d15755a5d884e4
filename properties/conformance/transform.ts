/** Simplifications of a whole program at once, where changing one operation or the configuration alone would break it. */
import type { ConformanceConfiguration } from './configuration.ts';
import { compact, renumber, unchanged } from './compact.ts';
import type { Renumbering } from './compact.ts';
import type { Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { deepened, onlyGuest, sharedPages, withoutGuests, withoutStage1 } from './simplify-guest.ts';
import { isBridged } from './world.ts';

const merge = (program: ConformanceProgram, by: Partial<Renumbering>): ConformanceProgram => ({
  configuration: program.configuration,
  operations: program.operations.map((operation) => renumber(operation, { ...unchanged, ...by })),
});

/** Every tree a low one, every access to the low half: only for programs whose contexts use one half each. */
const lowered = ({ configuration, operations }: ConformanceProgram): ConformanceProgram => ({
  configuration: {
    ...configuration,
    trees: configuration.trees.map((tree) => ({ ...tree, half: 0 })),
    contexts: configuration.contexts.map(({ high, ...context }) => ({ ...context, low: high ?? context.low })),
  },
  operations: operations.map((operation): Operation => {
    if (operation.kind === 'access') return { ...operation, half: 0 };
    if (operation.kind === 'command' && 'half' in operation.command)
      return { ...operation, command: { ...operation.command, half: 0 } };
    return operation;
  }),
});

/** The rocker on the same side of a bridge, and one on bus 0. */
const sameSide = (device: number): number => (isBridged(device) ? 4 : device % 2);
const direct = (device: number): number => device % 2;

/** The same program with rocker devices instead of edu: a read becomes a swap. */
const withRocker = (
  program: ConformanceProgram,
  read: 'swap' | 'write',
  rocker: (device: number) => number,
): ConformanceProgram => {
  const { configuration, operations } = program;
  return {
    configuration: { ...configuration, devices: configuration.devices.map(rocker) },
    operations: operations.map((operation) =>
      operation.kind === 'access' && operation.access === 'read' ? { ...operation, access: read } : operation,
    ),
  };
};

/** Small pages instead of blocks in the addresses of a program: neighbours instead of distant ones. */
const nearPages = ({ configuration, operations }: ConformanceProgram): ConformanceProgram => {
  const granule = Math.max(...configuration.trees.map((tree) => tree.granule));
  const [first = 0] = configuration.pages;
  const base = first >= 2 ** configuration.vaBits ? 0x5800_0000 : first;
  return {
    configuration: { ...configuration, pages: configuration.pages.map((_, index) => base + index * 2 ** granule) },
    operations,
  };
};

/**
 * Translation switched on only just before the first access, and no command before that: nothing can be cached by then, so
 * what still deviates is not stale.
 */
const enabledLate = ({ configuration, operations }: ConformanceProgram): ConformanceProgram | undefined => {
  const first = operations.findIndex(({ kind }) => kind === 'access');
  if (first < 0) return undefined;
  const before = operations.slice(0, first).filter(({ kind }) => kind !== 'enable' && kind !== 'command');
  return { configuration, operations: [...before, { kind: 'enable', on: true }, ...operations.slice(first)] };
};

const ofGuests = (program: ConformanceProgram): ConformanceProgram[] => {
  const shared = sharedPages(program);
  const { guests = [] } = program.configuration;
  return [
    withoutGuests(program),
    withoutStage1(program),
    ...(JSON.stringify(shared) === JSON.stringify(program) ? [] : [shared]),
    ...deepened(program),
    ...(guests.length > 1 ? guests.map((_, kept) => onlyGuest(program, kept)) : []),
  ];
};

const distinctDevices = ({ devices }: ConformanceConfiguration): boolean => new Set(devices).size === devices.length;

/** Simpler programs, the boldest first. */
export const simplerPrograms = (program: ConformanceProgram): ConformanceProgram[] => {
  const { configuration } = program;
  const candidates: ConformanceProgram[] = [];
  const compacted = compact(program);
  if (JSON.stringify(compacted) !== JSON.stringify(program)) candidates.push(compacted);
  const late = enabledLate(program);
  if ((configuration.guests ?? []).length > 0) candidates.push(...ofGuests(program));
  if (late !== undefined && late.operations.length <= program.operations.length) candidates.push(late);
  const zero = (): number => 0;
  if (configuration.devices.length > 1) candidates.push(merge(program, { stream: zero }));
  if (configuration.contexts.length > 1) candidates.push(merge(program, { context: zero }));
  if (configuration.trees.length > 1) candidates.push(merge(program, { tree: zero }));
  if (configuration.pages.length > 1) candidates.push(merge(program, { page: zero }));
  if (configuration.trees.some(({ half }) => half === 1)) candidates.push(lowered(program));
  if (configuration.devices.some((device) => device > 1))
    for (const read of ['write', 'swap'] as const)
      for (const which of [direct, sameSide]) {
        const rocker = withRocker(program, read, which);
        if (distinctDevices(rocker.configuration)) candidates.push(rocker);
      }
  if (configuration.devices.length === 1 && configuration.devices[0] === 1)
    candidates.push({ ...program, configuration: { ...configuration, devices: [0] } });
  const near = nearPages(program);
  if (JSON.stringify(near) !== JSON.stringify(program)) candidates.push(near);
  return candidates;
};
