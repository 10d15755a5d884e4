import type { Cell } from '../../../engine/cell.ts';
import { HarnessError } from '../../../engine/failure.ts';
import { releaseOrder } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { READ, WRITE, type Permissions } from '../../../model/contract/events.ts';
import { hex } from '../format.ts';
import type { NestedKernel } from './kernel.ts';
import type { AttachedTo, Device, PagingDomain } from './objects.ts';

const BUSY = -1;

/** What a program can do on the hypervisor's side, each a task. Its result is false if the operation does not apply. */
export class HostOperations {
  protected readonly kernel: NestedKernel;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
  }

  /**
   * Allocates the domain of a place.
   *
   * @param prepare fills in what the domain has beside its tables, inside the step that makes it.
   */
  *domainAlloc(place: number, prepare?: (domain: PagingDomain) => void): Task<boolean> {
    const { kernel } = this;
    const slot = this.#place(place);
    const handle = yield* step(`domain_alloc(${place})`, () => {
      const made = this.#allocDomain(place);
      if (made !== 0) prepare?.(kernel.paging.at(made));
      return made;
    });
    if (handle === 0) return false;
    const domain = kernel.paging.at(handle);
    const finalised = yield* kernel.domainLife.arm_smmu_domain_finalise(domain);
    yield* step(finalised ? 'return' : `kfree(${domain.name})`, () => {
      releaseOrder(kernel.machine);
      slot.value = finalised ? handle : 0;
      if (!finalised) kernel.domainLife.abandon(domain);
      return undefined;
    });
    return finalised;
  }

  /** Frees the domain in a place, if no device is attached and nobody uses it. The nest parent stays. */
  *domainFree(place: number): Task<boolean> {
    const { kernel } = this;
    const slot = this.#place(place);
    const handle = yield* step(`domain_free(${place})`, () => {
      const found = slot.value;
      if (place === kernel.nesting.parentPlace || found <= 0 || this.#users(place).value > 0) return 0;
      if (kernel.paging.at(found).invs.value !== 0) return 0;
      slot.value = BUSY;
      this.#forgetMappings(place);
      return found;
    });
    if (handle === 0) return false;
    yield* kernel.domainLife.arm_smmu_domain_free_paging(kernel.paging.at(handle));
    yield* step('return', () => {
      slot.value = 0;
      return undefined;
    });
    return true;
  }

  /** Takes a VMID and gives it back: a short-lived domain, so that numbers are reused. */
  *vmidPressure(): Task<boolean> {
    const { sparePlace } = this.kernel;
    if (!(yield* this.domainAlloc(sparePlace))) return false;
    return yield* this.domainFree(sparePlace);
  }

  /** Attaches a device to the domain of a place; it changes over from whatever it is attached to. */
  *attach(place: number, index: number): Task<boolean> {
    const device = this.#device(index);
    const handle = yield* this.#claim(`attach(${place}, ${device.master.name})`, place);
    if (handle === 0) return false;
    const kind = this.kernel.stageOf(place) === 1 ? 'stage 1' : 'stage 2';
    const done = yield* this.#attach(device, { kind, handle });
    yield* this.#release(place);
    return done;
  }

  /** Attaches a device to the blocking domain, or to the identity domain. */
  *attachStatic(kind: 'blocked' | 'bypass', index: number): Task<boolean> {
    return yield* this.#attach(this.#device(index), { kind });
  }

  /** Maps `size` bytes of the domain of a place, pages or one block, to the memory at `pa`. */
  *map(place: number, iova: number, size: number, pa: number, permissions: Permissions = READ | WRITE): Task<boolean> {
    const { kernel } = this;
    const handle = yield* this.#claim(`map(${place}, ${hex(iova)}+${hex(size)})`, place, () =>
      kernel.claims.claimMap(place, iova, size),
    );
    if (handle === 0) return false;
    const tables = kernel.tablesOf(kernel.stageOf(place));
    const mapped = yield* tables.arm_lpae_map_pages(kernel.paging.at(handle), iova, pa, size, permissions);
    yield* this.#release(place, () => {
      kernel.claims.settle(place, iova, size, mapped);
      if (mapped) kernel.emit({ type: 'map.end', space: place, iova, size });
    });
    return mapped;
  }

  /** Unmaps `size` bytes: pages, a block, or all pages of one block together with their table. Waits for everyone. */
  *unmap(place: number, iova: number, size: number): Task<boolean> {
    const { kernel } = this;
    const handle = yield* this.#claim(
      `unmap(${place}, ${hex(iova)}+${hex(size)})`,
      place,
      () => kernel.claims.claimUnmap(place, iova, size) !== 'none',
    );
    if (handle === 0) return false;
    const domain = kernel.paging.at(handle);
    const tables = kernel.tablesOf(kernel.stageOf(place));
    const gather = yield* tables.arm_lpae_unmap_pages(domain, iova, size);
    if (gather !== undefined) yield* this.arm_smmu_iotlb_sync(domain, iova, gather.size, gather.granule);
    yield* this.#release(place, () => {
      kernel.claims.settle(place, iova, size, false);
      kernel.emit({ type: 'unmap.end', space: place, iova, size, lazy: false });
    });
    return true;
  }

  /** Splits a mapped block of a domain into pages that map the same memory. */
  *split(place: number, iova: number): Task<boolean> {
    const { kernel } = this;
    const tables = kernel.tablesOf(kernel.stageOf(place));
    const handle = yield* this.#claim(`split(${place}, ${hex(iova)})`, place, () =>
      kernel.claims.claimBlock(place, iova),
    );
    if (handle === 0) return false;
    const size = tables.blockBytes;
    const done = yield* tables.split_block(kernel.paging.at(handle), iova);
    yield* this.#release(place, () => {
      kernel.claims.settleSplit(place, iova);
      if (done) kernel.emit({ type: 'map.end', space: place, iova, size });
    });
    return done;
  }

  /** Gives a device a virtual StreamID and tells the guest. */
  *vdeviceAlloc(index: number): Task<boolean> {
    const device = this.#device(index);
    const plugged = yield* step(`plug v${device.master.name}`, () => {
      if (device.vsid.value !== 0) return false;
      const { devices } = this.kernel;
      const free = devices.findIndex((_, vsid) => devices.every((each) => each.plugged.value !== vsid + 1));
      if (device.plugged.value === 0) device.plugged.value = free + 1;
      return true;
    });
    return plugged && (yield* this.kernel.viommu.vdevice_alloc(device));
  }

  /** Takes a device away from the guest. */
  *vdeviceDestroy(index: number): Task<boolean> {
    const device = this.#device(index);
    if (!(yield* this.kernel.viommu.vdevice_destroy(device))) return false;
    yield* step(`unplug v${device.master.name}`, () => {
      device.plugged.value = 0;
      return undefined;
    });
    return true;
  }

  /** `arm_smmu_iotlb_sync()`: invalidates the leaves that an unmap has gathered. */
  *arm_smmu_iotlb_sync(domain: PagingDomain, iova: number, size: number, granule: number): Task {
    yield* this.kernel.invalidation.arm_smmu_domain_inv_range(domain, { iova, size, granule, leaf: true });
  }

  *#attach(device: Device, to: AttachedTo): Task<boolean> {
    const old = yield* this.kernel.attach.attach_dev(device, to);
    if (old === undefined) return false;
    if (old.kind === 'nested') yield* this.kernel.viommu.freeNested(old.handle);
    return true;
  }

  #claim(label: string, place: number, claim?: () => boolean): Step<number> {
    const slot = this.#place(place);
    const users = this.#users(place);
    return step(label, () => {
      const handle = slot.value;
      if (handle <= 0 || (claim !== undefined && !claim())) return 0;
      users.value += 1;
      return handle;
    });
  }

  #release(place: number, promise?: () => void): Step<undefined> {
    const users = this.#users(place);
    return step('return', () => {
      users.value -= 1;
      promise?.();
      return undefined;
    });
  }

  #allocDomain(place: number): number {
    const { kernel } = this;
    const slot = this.#place(place);
    if (slot.value !== 0) return 0;
    const handle = kernel.kzalloc(kernel.paging);
    if (handle === 0) return 0;
    const stage = kernel.stageOf(place);
    const pgd = kernel.domainLife.allocPgd(stage);
    if (pgd === 0) {
      kernel.paging.free(handle);
      return 0;
    }
    const domain = kernel.paging.at(handle);
    domain.id.value = place;
    domain.stage.value = stage;
    domain.pgd.value = pgd;
    slot.value = BUSY;
    return handle;
  }

  #forgetMappings(place: number): void {
    const size = 2 ** 48;
    this.kernel.emit({ type: 'unmap.begin', space: place, iova: 0, size });
    this.kernel.emit({ type: 'unmap.end', space: place, iova: 0, size, lazy: false });
    this.kernel.claims.reset(place);
  }

  #place(place: number): Cell {
    return at(this.kernel.places, place, 'place');
  }

  #users(place: number): Cell {
    return at(this.kernel.placeUsers, place, 'place');
  }

  #device(index: number): Device {
    return at(this.kernel.devices, index, 'device');
  }
}

/** What a program can do as software of the guest. */
export class GuestOperations {
  protected readonly kernel: NestedKernel;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
  }

  /** Maps a page of a guest's space to an IPA. */
  *map(space: number, va: number, ipa: number, permissions: Permissions = READ | WRITE): Task<boolean> {
    const { guest, claims } = this.kernel;
    const of = guest.space(space);
    const id = this.#id(space);
    const size = guest.pgtable.pageBytes;
    if (!(yield* step(`guest map(${of.name}, ${hex(va)})`, () => claims.claimMap(id, va, size)))) return false;
    const mapped = yield* guest.pgtable.arm_lpae_map_pages(of, va, ipa, size, permissions);
    yield* step('return', () => {
      claims.settle(id, va, size, mapped);
      if (mapped) this.kernel.emit({ type: 'map.end', space: id, iova: va, size });
      return undefined;
    });
    return mapped;
  }

  /** Unmaps a page of a guest's space, or all pages of a block with their table. */
  *unmap(space: number, va: number, size: number): Task<boolean> {
    const { guest, claims } = this.kernel;
    const of = guest.space(space);
    const id = this.#id(space);
    const label = `guest unmap(${of.name}, ${hex(va)}+${hex(size)})`;
    if (!(yield* step(label, () => claims.claimUnmap(id, va, size) !== 'none'))) return false;
    const gather = yield* guest.pgtable.arm_lpae_unmap_pages(of, va, size);
    if (gather !== undefined)
      yield* guest.invalidateRange(of, { iova: va, size: gather.size, granule: gather.granule, leaf: true });
    yield* step('return', () => {
      claims.settle(id, va, size, false);
      this.kernel.emit({ type: 'unmap.end', space: id, iova: va, size, lazy: false });
      return undefined;
    });
    return true;
  }

  /**
   * The guest's driver attaches a device of its own: a stream table entry, and its invalidation, on which the hypervisor
   * takes the entry over (`arm_smmu_attach_dev_nested()` by way of the virtual machine's monitor).
   */
  *stream(index: number, config: 'abort' | 'bypass' | 'stage 1'): Task<boolean> {
    const { guest } = this.kernel;
    const device = at(this.kernel.devices, index, 'device');
    yield* device.guestMutex.lock();
    const has = yield* step(`guest: v${device.master.name} is there`, () => {
      if (device.plugged.value === 0) return false;
      if (config === 'stage 1') guest.spaceOf(device).devices.value |= 1 << device.index;
      return true;
    });
    if (has) yield* guest.writeVste(device, config, this.kernel.nesting.ats[index] === true);
    const done = has && (yield* this.install(device));
    yield* step('guest: done', () => {
      if (done) device.guestConfig.value = ['abort', 'bypass', 'stage 1'].indexOf(config);
      if (done && config !== 'stage 1') guest.spaceOf(device).devices.value &= ~(1 << device.index);
      return undefined;
    });
    yield* device.guestMutex.unlock();
    return done;
  }

  /** The hypervisor's answer to CMD_CFGI_STE of a guest's device. */
  protected *install(device: Device): Task<boolean> {
    const { viommu, attach, guest } = this.kernel;
    const to = yield* viommu.alloc_domain_nested(guest.vste(device));
    if (to === undefined) return false;
    const old = yield* attach.attach_dev(device, to);
    if (old === undefined) yield* viommu.freeNested(to.handle);
    else if (old.kind === 'nested') yield* viommu.freeNested(old.handle);
    return old !== undefined;
  }

  /** The guest's driver leads a device to another of its address spaces: its context descriptor is replaced. */
  *context(index: number, space: number): Task<boolean> {
    const { guest } = this.kernel;
    const device = at(this.kernel.devices, index, 'device');
    const of = guest.space(space);
    yield* device.guestMutex.lock();
    const stream = device.master.streamId;
    const before = yield* step(`guest: v${device.master.name} → ${of.name}`, () => {
      if (device.plugged.value === 0 || device.guestConfig.value !== 2 || device.guestSpace.value === space) return -1;
      of.devices.value |= 1 << device.index;
      const nested = device.translatesForGuest.value;
      if (nested === 1)
        this.kernel.emit({ type: 'attach.begin', stream, substream: 0, to: of.id.value, hitless: false });
      return 2 * device.guestSpace.value + nested;
    });
    if (before >= 0) {
      const asid = yield* of.asid.load();
      yield* guest.writer.arm_smmu_write_entry(
        guest.writer.vcd(device),
        guest.writer.spaceCd(of, asid, guest.privateAsids),
      );
      if (this.kernel.nesting.ats[index] === true) yield* guest.invalidateAtc(device);
      yield* step('guest: done', () => {
        device.guestSpace.value = space;
        guest.space(before >> 1).devices.value &= ~(1 << device.index);
        if ((before & 1) === 1) this.kernel.emit({ type: 'attach.end', stream, substream: 0 });
        return undefined;
      });
    }
    yield* device.guestMutex.unlock();
    return before >= 0;
  }

  /** The guest invalidates everything that it can. */
  *flush(): Task<boolean> {
    yield* this.kernel.guest.invalidateAll();
    return true;
  }

  /** Somebody in the guest writes a word of a stream table entry, without locks and without telling anybody. */
  *poke(index: number, config: 'abort' | 'bypass' | 'stage 1'): Task<boolean> {
    const device = at(this.kernel.devices, index, 'device');
    yield* this.kernel.guest.writeVste(device, config, false);
    return true;
  }

  #id(space: number): number {
    return this.kernel.nesting.firstGuestSpace + space;
  }
}

function at<T>(list: readonly T[], index: number, what: string): T {
  const found = list[index];
  if (found === undefined) throw new HarnessError(`this world has no ${what} ${index}`);
  return found;
}
