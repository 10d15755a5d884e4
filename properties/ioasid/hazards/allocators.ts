import { step, type Step, type Task } from '../../../engine/step.ts';
import { IoasidAllocators } from '../../../impl/kernel/ioasid/index.ts';
import { rule, safety, type IoasidHazard } from './hazard.ts';

const RULES = 'drivers/iommu/ioasid.c, Linux 6.1, the rules of custom allocators';

/** Bit set of both IOMMUs. */
const BOTH = 0b11;

/** Mistakes in allocators that ask a hypervisor. */
export const ALLOCATOR_HAZARDS: readonly IoasidHazard[] = [
  {
    id: 'ioasid-register-over-default',
    title: 'a custom allocator is registered while numbers of the default one are out',
    citation: `${RULES}: ioasid_register_allocator() returns -EAGAIN`,
    story: 'The guest uses numbers that the hypervisor has not given it, and has given to somebody else perhaps.',
    expected: [rule('not-granted'), rule('grant-lost')],
    parts: {
      allocators: class extends IoasidAllocators {
        protected override maySwitch(): boolean {
          return true;
        }
      },
    },
  },
  {
    id: 'ioasid-unregister-with-numbers',
    title: 'the last custom allocator goes while its numbers are out',
    citation: `${RULES}: ioasid_unregister_allocator() warns, and goes on`,
    story: 'Nobody can give the numbers back to the hypervisor any more.',
    expected: [rule('grant-lost')],
    parts: {
      allocators: class extends IoasidAllocators {
        protected override maySwitch(after: number): boolean {
          return after === 0 || super.maySwitch(after);
        }
      },
    },
  },
  {
    id: 'ioasid-shared-allocator-lost',
    title: 'one of two allocators with the same operations goes, and the default comes back',
    citation: `${RULES}: allocators that share their operations share their numbers`,
    story: 'The other one is registered still, and numbers come from the default.',
    expected: [rule('not-granted'), rule('grant-lost')],
    parts: {
      allocators: class extends IoasidAllocators {
        protected override without(): number {
          return 0;
        }

        /** Numbers are looked at when the only one goes. */
        protected override isCustom(): boolean {
          return this.registered?.value === BOTH;
        }
      },
    },
  },
  {
    id: 'ioasid-default-while-custom',
    title: 'where the hypervisor has no number the default gives one',
    citation: `${RULES}: a custom allocator takes precedence, and may fail`,
    story: 'The virtual command fails, and the guest gets a number that is not its own.',
    expected: [rule('not-granted')],
    parts: {
      allocators: class extends IoasidAllocators {
        override *alloc(): Task<number> {
          const given = yield* super.alloc();
          return given === 0 ? -1 : given;
        }
      },
    },
  },
  {
    id: 'ioasid-vcmd-error-keeps-number',
    title: 'a number that is given and not stored is not given back',
    citation: 'ioasid_alloc(), Linux 6.1: ops->free() where xa_alloc() fails',
    story: 'There is no memory, or the quota is used up; the hypervisor has one number less for ever.',
    expected: [safety('leak')],
    parts: {
      allocators: class extends IoasidAllocators {
        override notTaken(): void {}
      },
    },
  },
  {
    id: 'ioasid-vcmd-sleeps',
    title: 'a virtual command sleeps until its response is there',
    citation: 'vcmd_alloc_pasid(), Linux 6.1, polls: ioasid_allocator_lock is a spinlock',
    story: 'The allocator is called under the spinlock.',
    expected: [safety('sleep-in-atomic')],
    parts: {
      allocators: class extends IoasidAllocators {
        protected override virtualCommand(): Step<number> {
          const command = super.virtualCommand();
          return step(command.label, () => {
            this.kernel.machine.mightSleep('wait for VCRSP');
            return command.run();
          });
        }
      },
    },
  },
];
