/** What a program does to stage 2, in words. */
import type { ConformanceConfiguration, Guest, GuestPage } from './configuration.ts';
import { guestEntryAddress, guestPageIpa, guestPagesOf, guestsOf } from './guest.ts';
import type { GuestPlace, Operation } from './operation.ts';

type GuestOperation = Extract<Operation, { kind: 's2-leaf' | 's2-table' | 's2-clear' }>;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** What is at an IPA, in words. */
const whatText = (page: GuestPage): string => {
  switch (page.of) {
    case 'cd':
      return `CD of context ${page.context}`;
    case 'table':
      return `level ${page.level} table of tree ${page.tree}`;
    case 'frame':
      return page.level === 3 ? 'page' : 'block';
    case 'input':
      return 'input page';
  }
};

const placeText = (configuration: ConformanceConfiguration, place: GuestPlace): string => {
  const page = guestPagesOf(configuration)[place.page] as GuestPage;
  const ipa = guestPageIpa(configuration, place.page);
  return `stage 2 of guest ${place.guest}, level ${place.level} entry of IPA ${hex(ipa - (ipa % 4096))} (${whatText(page)}, at ${hex(guestEntryAddress(configuration, place))})`;
};

const accessText = (s2ap: number): string => ['no access', 'read-only', 'write-only', 'read-write'][s2ap] as string;

/** An operation on a stage 2 table. */
export const renderGuestOperation = (configuration: ConformanceConfiguration, operation: GuestOperation): string => {
  const place = placeText(configuration, operation.place);
  switch (operation.kind) {
    case 's2-table': {
      const { to } = operation;
      const next =
        typeof to === 'number' ? `table${to === 0 ? '' : ' (other copy)'}` : `table at an address that is ${to}`;
      return `${place} := ${next}`;
    }
    case 's2-leaf': {
      const notes = [
        accessText(operation.s2ap),
        ...(operation.accessFlag ? [] : ['AF clear']),
        ...(operation.contiguous ? ['contiguous group'] : []),
        ...(operation.device === true ? ['Device memory'] : []),
      ];
      return `${place} := ${operation.place.level === 3 ? 'page' : 'block'} ${operation.target}, ${notes.join(', ')}`;
    }
    case 's2-clear':
      return `${place} := invalid${operation.garbage ? ' (other bits set)' : ''}${operation.contiguous ? ', contiguous group' : ''}`;
  }
};

const guestText = (guest: Guest, index: number): string => {
  const notes = [
    ...(guest.accessFlagFaultDisabled ? ['S2AFFD'] : []),
    ...(guest.protectedWalk ? ['S2PTW'] : []),
    ...(guest.addressSize === 5 ? [] : [`S2PS ${guest.addressSize}`]),
  ];
  const text = `guest ${index}: VMID ${guest.vmid}, ${2 ** (guest.granule - 10)} KiB granule, ${guest.inputBits} bits, walks from level ${guest.startLevel}`;
  return notes.length === 0 ? text : `${text}, ${notes.join(', ')}`;
};

/** The guests of a configuration, one line each. */
export const renderGuests = (configuration: ConformanceConfiguration): string[] =>
  guestsOf(configuration).map(guestText);
