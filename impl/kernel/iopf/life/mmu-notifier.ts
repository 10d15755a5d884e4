import { step, type Step, type Task } from '../../../../engine/step.ts';
import { Rcu } from '../../../../engine/sync/rcu.ts';
import type { IopfKernel } from '../kernel.ts';
import type { ProcessLife } from './life.ts';
import type { MmStruct, SvaDomain } from './objects.ts';

/**
 * MMU notifiers (`mm/mmu_notifier.c`): a domain hears that the address space goes. `subscriptions->lock` is a spinlock over a
 * few instructions, so what is under it is one step.
 */
export class MmuNotifiers {
  readonly srcu: Rcu;
  protected readonly kernel: IopfKernel;
  protected readonly life: ProcessLife;
  /** `mmu_notifier_free_rcu()`, as a callback. */
  readonly #freeRcu: number;

  constructor(kernel: IopfKernel, life: ProcessLife) {
    this.kernel = kernel;
    this.life = life;
    this.srcu = new Rcu(kernel.machine, 'srcu', { sleepable: true });
    this.#freeRcu = this.srcu.onGracePeriod((domain) => this.mmu_notifier_free_rcu(life.domains.at(domain)));
  }

  /** `mmu_notifier_register()`: the caller holds a reference to `mm_users`. */
  mmu_notifier_register(mm: MmStruct, domain: SvaDomain): Step<undefined> {
    return step(`mmu_notifier_register(${domain.name}, ${mm.name})`, () => {
      mm.mm_count.increment();
      mm.notifier.value = domain.handle;
      return undefined;
    });
  }

  /** `mmu_notifier_put()`: nobody finds the notifier any more; it goes when those who have found it are done. */
  *mmu_notifier_put(domain: SvaDomain): Task {
    yield* this.hlist_del(domain);
    yield* this.srcu.call(this.#freeRcu, domain.handle);
  }

  protected hlist_del(domain: SvaDomain): Step<undefined> {
    return step(`hlist_del_init_rcu(${domain.name}.notifier)`, () => {
      const mm = this.life.mms.at(domain.mm.value);
      if (mm.notifier.value === domain.handle) mm.notifier.value = 0;
      return undefined;
    });
  }

  /** `mmu_notifier_free_rcu()`: `free_notifier()`, which frees the domain, and the reference to the structure. */
  protected *mmu_notifier_free_rcu(domain: SvaDomain): Task {
    const mm = yield* this.free_notifier(domain);
    yield* this.life.mm.mmdrop(this.life.mms.at(mm));
  }

  protected free_notifier(domain: SvaDomain): Step<number> {
    return step(`kfree(${domain.name})`, () => {
      const mm = domain.mm.value;
      this.life.domains.free(domain.handle);
      return mm;
    });
  }

  /**
   * `__mmu_notifier_release()`: each notifier is told. Who takes its notifier away meanwhile (`mmu_notifier_unregister()`) is
   * waited for; `mmu_notifier_put()` does not free it before this has left the read section.
   */
  *mmu_notifier_release(mm: MmStruct): Task {
    yield* this.srcu.readLock();
    const found = yield* mm.notifier.load();
    if (found !== 0) yield* this.release(this.life.domains.at(found));
    yield* step(`hlist_del_init_rcu(notifiers of ${mm.name})`, () => {
      mm.notifier.value = 0;
      return undefined;
    });
    yield* this.srcu.readUnlock();
    yield* this.srcu.synchronize();
  }

  /** `ops->release()`. */
  protected *release(domain: SvaDomain): Task {
    yield* this.life.svm.mm_release(domain);
  }
}
