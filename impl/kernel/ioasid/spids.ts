import { step, type Step, type Task } from '../../../engine/step.ts';
import type { IoasidKernel } from './kernel.ts';
import { SPIDS, STATE, type IoasidData, type IoasidSet } from './objects.ts';

/**
 * Guest PASIDs (`spid`): numbers that a guest uses for those of the host, by set. They may be the same or not; a machine
 * that has moved keeps the guest's and has other ones of the host.
 */
export class GuestPasids {
  protected readonly kernel: IoasidKernel;

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
  }

  /** `ioasid_attach_spid()`: a guest PASID leads to a number of the set. False if either is taken, or the number is going. */
  *attach(id: number, set: IoasidSet, spid: number): Task<boolean> {
    return (yield* this.kernel.ioasid.locked(() => this.#attachLocked(id, set, spid))) !== 0;
  }

  *#attachLocked(id: number, set: IoasidSet, spid: number): Task<number> {
    return yield* step(`ioasid_attach_spid(${id}, ${spid})`, () => {
      const handle = this.kernel.number(id).value;
      if (handle === 0) return 0;
      const data = this.kernel.datas.at(handle);
      if (data.set.value !== set.handle || data.state.value !== STATE.ACTIVE) return 0;
      if (this.isTaken(set, id, spid)) return 0;
      this.set(set, data.owner.value, spid, id);
      return 1;
    });
  }

  /** Inside a step. */
  protected isTaken(set: IoasidSet, id: number, spid: number): boolean {
    return set.spids.some((cell, other) => cell.value === id || (other === spid && cell.value !== 0));
  }

  /** A number goes, and no guest PASID leads to it any more; inside a step. */
  forget(data: IoasidData): void {
    if (this.kernel.layout.sets !== true) return;
    const set = this.kernel.sets.at(data.set.value);
    for (let spid = 1; spid <= SPIDS; spid++)
      if (set.spids[spid]?.value === data.id.value) this.set(set, data.owner.value, spid, 0);
  }

  /**
   * `ioasid_find_by_spid()`: takes a reference to what a guest PASID leads to, and drops it again. It looks without a lock,
   * and once more when it has the reference: the guest PASID may lead elsewhere since.
   */
  *find(token: number, spid: number): Task<boolean> {
    const { ioasid, ioasidSets, sets, datas } = this.kernel;
    const handle = yield* ioasidSets.find(token);
    if (handle === 0) return false;
    const set = sets.at(handle);
    const id = yield* this.look(set, spid);
    const found = id === 0 ? 0 : yield* ioasid.ioasid_get(id, handle);
    const right = id !== 0 && (yield* this.lookAgain(set, token, spid, found === 0 ? 0 : id));
    if (found !== 0) yield* ioasid.ioasid_put(datas.at(found));
    yield* ioasidSets.put(set);
    return right;
  }

  protected look(set: IoasidSet, spid: number): Step<number> {
    return step(`look up ${set.name}.spid${spid}`, () => this.idOf(set, spid));
  }

  /** @param id the number of which there is a reference; 0: there was none to take. */
  protected lookAgain(set: IoasidSet, token: number, spid: number, id: number): Step<boolean> {
    return step(`look up ${set.name}.spid${spid} again`, () => {
      if (id === 0 || !this.isStill(set, spid, id)) {
        this.kernel.note('guest PASID changed under a look');
        return false;
      }
      this.kernel.note('guest PASID looked up');
      this.kernel.emit({ type: 'pasid.found', owner: token, spid, pasid: id });
      return true;
    });
  }

  /** Inside a step. */
  protected isStill(set: IoasidSet, spid: number, id: number): boolean {
    return this.idOf(set, spid) === id;
  }

  protected idOf(set: IoasidSet, spid: number): number {
    return set.spids[spid]?.value ?? 0;
  }

  protected set(set: IoasidSet, owner: number, spid: number, id: number): void {
    const cell = set.spids[spid];
    if (cell === undefined) throw new RangeError(`there is no guest PASID ${spid}`);
    cell.value = id;
    this.tell(owner, spid, id);
  }

  protected tell(owner: number, spid: number, id: number): void {
    this.kernel.emit({ type: 'pasid.spid', owner, spid, pasid: id });
  }
}
