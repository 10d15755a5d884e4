/** Whether a program makes sense, as one that was changed to be simpler, or edited by hand, may not. */
import { match } from 'ts-pattern';
import type { ConformanceConfiguration, Context, Tree } from './configuration.ts';
import { guestPageIpa, guestPagesMax, guestPagesOf, guestsOf, startLevels } from './guest.ts';
import type { GuestPlace, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { isRocker } from './world.ts';

/** Whether every tree is a guest's iff its contexts are in a guest, with the VMID of that guest and of no other. */
const contextsSound = (configuration: ConformanceConfiguration): boolean => {
  const { contexts, trees } = configuration;
  const guests = guestsOf(configuration);
  const sound = ({ vmid, guest, low, high }: Context): boolean =>
    [low, ...(high === undefined ? [] : [high])].every(
      (tree) => tree < trees.length && (trees[tree]?.guest === true) === (guest !== undefined),
    ) && (guest === undefined ? guests.every((one) => one.vmid !== vmid) : guests[guest]?.vmid === vmid);
  const pairs = new Set(contexts.map(({ vmid, asid }) => `${vmid}:${asid}`));
  return contexts.every(sound) && pairs.size === contexts.length;
};

const guestsSound = (configuration: ConformanceConfiguration): boolean => {
  const guests = guestsOf(configuration);
  const pages = guestPagesOf(configuration);
  if (pages.length > guestPagesMax || new Set(guests.map(({ vmid }) => vmid)).size < guests.length) return false;
  if (!guests.every(({ granule, inputBits, startLevel }) => startLevels(granule, inputBits).includes(startLevel)))
    return false;
  return pages.every((page, index) => {
    if ('context' in page && configuration.contexts[page.context]?.guest === undefined) return false;
    if ('page' in page && page.page >= configuration.pages.length) return false;
    if ('tree' in page) {
      if (configuration.trees[page.tree]?.guest !== true) return false;
    }
    return guestPageIpa(configuration, index) < 2 ** 32;
  });
};

const guestPlaceSound = (configuration: ConformanceConfiguration, { guest, page, level }: GuestPlace): boolean => {
  const of = guestsOf(configuration)[guest];
  return of !== undefined && page < guestPagesOf(configuration).length && level >= of.startLevel && level <= 3;
};

const operationSound = (configuration: ConformanceConfiguration, operation: Operation): boolean => {
  const { pages, trees, contexts, devices } = configuration;
  const context = (index: number): boolean => index < contexts.length;
  return match(operation)
    .with({ kind: 'ste' }, (ste) => {
      if (ste.stream >= devices.length || !context(ste.context)) return false;
      return contexts[ste.context]?.guest !== undefined || (ste.stage1Off !== true && !ste.form.startsWith('s2-'));
    })
    .with({ kind: 'cd' }, (cd) => context(cd.context))
    .with({ kind: 'stream-table' }, ({ stream }) => stream === undefined || stream < devices.length)
    .with({ kind: 'leaf' }, { kind: 'table' }, { kind: 'clear' }, ({ place }) => {
      const tree: Tree | undefined = trees[place.tree];
      return place.page < pages.length && tree !== undefined && (place.twin !== true || tree.guest === true);
    })
    .with({ kind: 's2-leaf' }, { kind: 's2-table' }, { kind: 's2-clear' }, ({ place }) =>
      guestPlaceSound(configuration, place),
    )
    .with({ kind: 'command' }, ({ command }) => {
      if ('guest' in command)
        return guestPlaceSound(configuration, { guest: command.guest, page: command.ipa, level: 3, copy: 0 });
      const streams = 'stream' in command ? command.stream < devices.length : true;
      const vmid = 'vmidOf' in command ? context(command.vmidOf) : true;
      const asid = 'asidOf' in command ? context(command.asidOf) : true;
      return streams && vmid && asid && ('page' in command ? command.page < pages.length : true);
    })
    .with({ kind: 'overflow' }, ({ stream }) => stream < devices.length)
    .with({ kind: 'access' }, (access) => {
      const device = devices[access.stream];
      if (device === undefined || access.page >= pages.length) return false;
      return isRocker(device) ? access.access !== 'read' : access.access !== 'swap';
    })
    .with({ kind: 'enable' }, { kind: 'stream-format' }, () => true)
    .exhaustive();
};

/** Whether every reference of a program names something that its configuration has, and every device can do its part. */
export const isWellFormed = ({ configuration, operations }: ConformanceProgram): boolean => {
  const { pages, vaBits } = configuration;
  const aligned = pages.every((page) => page % 4096 === 0 && page < 2 ** vaBits);
  return (
    aligned &&
    contextsSound(configuration) &&
    guestsSound(configuration) &&
    operations.every((operation) => operationSound(configuration, operation))
  );
};
