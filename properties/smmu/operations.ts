import { match } from 'ts-pattern';
import type { Task } from '../../engine/step.ts';
import type { GuestOperations, HostOperations } from '../../impl/kernel/nested/index.ts';
import { blockFramePa, framePa } from '../asid/configuration.ts';
import type { Operation } from '../family.ts';
import { readOperation, simplifyBy, type Bounds } from '../flat-operations.ts';
import { ADDRESSES, BLOCK_BYTES, BLOCKS, IPAS, movedTo, PAGE_BYTES, PAGES } from './configuration.ts';

/** What programs of the family do. Places, devices and spaces are what a world has of each; the rest are indices. */
export type SmmuOperation =
  | { readonly op: 'attach'; readonly place: number; readonly device: number }
  | { readonly op: 'detach'; readonly device: number }
  | { readonly op: 'bypass'; readonly device: number }
  | { readonly op: 'map'; readonly place: number; readonly page: number; readonly frame: number }
  | { readonly op: 'unmap'; readonly place: number; readonly page: number }
  | { readonly op: 'unmapPages'; readonly place: number }
  | { readonly op: 'unmapTable'; readonly place: number }
  | { readonly op: 'mapBlock'; readonly place: number; readonly frame: number }
  | { readonly op: 'split'; readonly place: number }
  | { readonly op: 'domainAlloc' }
  | { readonly op: 'domainFree' }
  | { readonly op: 'vmidPressure' }
  | { readonly op: 'vdeviceAlloc'; readonly device: number }
  | { readonly op: 'vdeviceDestroy'; readonly device: number }
  | { readonly op: 'guestMap'; readonly space: number; readonly page: number; readonly ipa: number }
  | { readonly op: 'guestUnmap'; readonly space: number; readonly page: number }
  | { readonly op: 'guestUnmapTable'; readonly space: number }
  | { readonly op: 'guestStream'; readonly device: number; readonly config: number }
  | { readonly op: 'guestContext'; readonly device: number; readonly space: number }
  | { readonly op: 'guestFlush' }
  | { readonly op: 'guestPoke'; readonly device: number; readonly config: number }
  | { readonly op: 'dma'; readonly device: number; readonly address: number };

const DEVICES = [0, 1] as const;
const PLACES = [0, 2] as const;
const SPACES = [0, 1] as const;
const TWO = [0, 1] as const;
const CONFIGS = [0, 2] as const;

/** Arguments of each kind of operation with their least and greatest values. */
export const ARGUMENTS: Bounds<SmmuOperation['op']> = {
  attach: { place: PLACES, device: DEVICES },
  detach: { device: DEVICES },
  bypass: { device: DEVICES },
  map: { place: PLACES, page: TWO, frame: [0, 3] },
  unmap: { place: PLACES, page: TWO },
  unmapPages: { place: PLACES },
  unmapTable: { place: PLACES },
  mapBlock: { place: PLACES, frame: [0, 3] },
  split: { place: PLACES },
  domainAlloc: {},
  domainFree: {},
  vmidPressure: {},
  vdeviceAlloc: { device: DEVICES },
  vdeviceDestroy: { device: DEVICES },
  guestMap: { space: SPACES, page: TWO, ipa: TWO },
  guestUnmap: { space: SPACES, page: TWO },
  guestUnmapTable: { space: SPACES },
  guestStream: { device: DEVICES, config: CONFIGS },
  guestContext: { device: DEVICES, space: SPACES },
  guestFlush: {},
  guestPoke: { device: DEVICES, config: CONFIGS },
  dma: { device: DEVICES, address: [0, 3] },
};

/** What a guest's stream table entry may say, by the number of an operation. */
const GUEST_CONFIGS = ['abort', 'bypass', 'stage 1'] as const;
/** The place whose domain comes and goes. */
const OTHER_PLACE = 2;

/** Who carries operations out. */
export interface Actors {
  readonly host: HostOperations;
  readonly guest: GuestOperations;
  readonly dma: (device: number, address: number) => Task<boolean>;
  /** Where the block of intermediate addresses is; see `movedTo`. */
  readonly ipaBlock: number;
}

/** The task of an operation. */
export function taskOf({ host, guest, dma, ipaBlock }: Actors, operation: SmmuOperation): Task<boolean> {
  const page = (place: number, index: number): number => movedTo(ipaBlock, addressOf(place, index));
  const block = (place: number): number => movedTo(ipaBlock, blockOf(place));
  return match(operation)
    .with({ op: 'attach' }, ({ place, device }) => host.attach(place, device))
    .with({ op: 'detach' }, ({ device }) => host.attachStatic('blocked', device))
    .with({ op: 'bypass' }, ({ device }) => host.attachStatic('bypass', device))
    .with({ op: 'map' }, ({ place, page: index, frame }) =>
      host.map(place, page(place, index), PAGE_BYTES, framePa(frame)),
    )
    .with({ op: 'unmap' }, ({ place, page: index }) => host.unmap(place, page(place, index), PAGE_BYTES))
    .with({ op: 'unmapPages' }, ({ place }) => host.unmap(place, page(place, 0), 2 * PAGE_BYTES))
    .with({ op: 'unmapTable' }, ({ place }) => host.unmap(place, block(place), BLOCK_BYTES))
    .with({ op: 'mapBlock' }, ({ place, frame }) => host.map(place, block(place), BLOCK_BYTES, blockFramePa(frame)))
    .with({ op: 'split' }, ({ place }) => host.split(place, block(place)))
    .with({ op: 'domainAlloc' }, () => host.domainAlloc(OTHER_PLACE))
    .with({ op: 'domainFree' }, () => host.domainFree(OTHER_PLACE))
    .with({ op: 'vmidPressure' }, () => host.vmidPressure())
    .with({ op: 'vdeviceAlloc' }, ({ device }) => host.vdeviceAlloc(device))
    .with({ op: 'vdeviceDestroy' }, ({ device }) => host.vdeviceDestroy(device))
    .with({ op: 'guestMap' }, ({ space, page: index, ipa }) =>
      guest.map(space, PAGES[index] as number, movedTo(ipaBlock, IPAS[ipa] as number)),
    )
    .with({ op: 'guestUnmap' }, ({ space, page: index }) => guest.unmap(space, PAGES[index] as number, PAGE_BYTES))
    .with({ op: 'guestUnmapTable' }, ({ space }) => guest.unmap(space, BLOCKS.virtual, BLOCK_BYTES))
    .with({ op: 'guestStream' }, ({ device, config }) => guest.stream(device, GUEST_CONFIGS[config] ?? 'abort'))
    .with({ op: 'guestContext' }, ({ device, space }) => guest.context(device, space))
    .with({ op: 'guestFlush' }, () => guest.flush())
    .with({ op: 'guestPoke' }, ({ device, config }) => guest.poke(device, GUEST_CONFIGS[config] ?? 'abort'))
    .with({ op: 'dma' }, ({ device, address }) => dma(device, address))
    .exhaustive();
}

/** How a report shows an operation: "unmap(domain1, 0x40001000)". */
export function describe(operation: SmmuOperation): string {
  const domain = (place: number): string => `domain${place}`;
  const page = (by: { readonly place: number; readonly page: number }): string => hex(addressOf(by.place, by.page));
  const block = (place: number): string => `${hex(blockOf(place))}+2MiB`;
  const va = (index: number): string => hex(PAGES[index] as number);
  return match(operation)
    .with({ op: 'attach' }, (by) => `attach(${domain(by.place)}, dev${by.device})`)
    .with({ op: 'detach' }, (by) => `detach(dev${by.device})`)
    .with({ op: 'bypass' }, (by) => `attach(identity, dev${by.device})`)
    .with({ op: 'map' }, (by) => `map(${domain(by.place)}, ${page(by)} → G${by.frame})`)
    .with({ op: 'unmap' }, (by) => `unmap(${domain(by.place)}, ${page(by)})`)
    .with({ op: 'unmapPages' }, (by) => `unmap(${domain(by.place)}, ${hex(addressOf(by.place, 0))}+2 pages)`)
    .with({ op: 'unmapTable' }, (by) => `unmap(${domain(by.place)}, ${block(by.place)})`)
    .with({ op: 'mapBlock' }, (by) => `map(${domain(by.place)}, ${block(by.place)} → B${by.frame})`)
    .with({ op: 'split' }, (by) => `split_block(${domain(by.place)}, ${hex(blockOf(by.place))})`)
    .with({ op: 'domainAlloc' }, () => `domain_alloc(${domain(OTHER_PLACE)})`)
    .with({ op: 'domainFree' }, () => `domain_free(${domain(OTHER_PLACE)})`)
    .with({ op: 'vmidPressure' }, () => 'domain_alloc + domain_free')
    .with({ op: 'vdeviceAlloc' }, (by) => `vdevice_alloc(dev${by.device})`)
    .with({ op: 'vdeviceDestroy' }, (by) => `vdevice_destroy(dev${by.device})`)
    .with({ op: 'guestMap' }, (by) => `guest: map(guest${by.space}, ${va(by.page)} → ${hex(IPAS[by.ipa] as number)})`)
    .with({ op: 'guestUnmap' }, (by) => `guest: unmap(guest${by.space}, ${va(by.page)})`)
    .with({ op: 'guestUnmapTable' }, (by) => `guest: unmap(guest${by.space}, 0x0+2MiB)`)
    .with({ op: 'guestStream' }, (by) => `guest: STE(vdev${by.device}) := ${GUEST_CONFIGS[by.config]}`)
    .with({ op: 'guestContext' }, (by) => `guest: CD(vdev${by.device}) := guest${by.space}`)
    .with({ op: 'guestFlush' }, () => 'guest: invalidate everything')
    .with({ op: 'guestPoke' }, (by) => `guest: poke STE(vdev${by.device}), ${GUEST_CONFIGS[by.config]}`)
    .with({ op: 'dma' }, (by) => `DMA(dev${by.device}, ${hex(ADDRESSES[by.address] as number)})`)
    .exhaustive();
}

/** The same operation with one argument smaller; the simplest first. */
export function simplify(operation: Operation): readonly Operation[] {
  return simplifyBy(ARGUMENTS, operation);
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function smmuOperation(operation: Operation): SmmuOperation {
  return readOperation('smmu', ARGUMENTS, operation);
}

/** Address of a page of a place's domain: virtual at stage 1, intermediate at stage 2. */
function addressOf(place: number, page: number): number {
  return (place === 0 ? PAGES : IPAS)[page] as number;
}

function blockOf(place: number): number {
  return place === 0 ? BLOCKS.virtual : BLOCKS.ipa;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
