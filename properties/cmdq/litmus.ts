import type { Litmus } from '../family.ts';
import { PLAIN, type CmdqConfiguration, type CmdqOperation } from './configuration.ts';

/** A litmus test: operations by agent, and how the queue differs from the plain one. */
function litmus(
  id: string,
  title: string,
  agents: Readonly<Record<string, readonly CmdqOperation[]>>,
  hazards: readonly string[],
  queue: Partial<CmdqConfiguration> = {},
): Litmus {
  const program = { agents: Object.entries(agents).map(([name, operations]) => ({ name, operations })) };
  return { id, title, hazards, configuration: { ...PLAIN, ...queue } as CmdqConfiguration, program };
}

const list = (commands: number): CmdqOperation => ({ op: 'issue', commands, sync: false });
const synced = (commands: number): CmdqOperation => ({ op: 'issue', commands, sync: true });
const event: CmdqOperation = { op: 'event' };

/** The smallest program for each way in which the queues can go wrong. */
export const CMDQ_LITMUS: readonly Litmus[] = [
  litmus('cmdq-batch', 'a batch of two lists', { CPU0: [{ op: 'batch', commands: 3 }] }, [
    'smmu-batch-no-sync',
    'smmu-cmdq-keeps-owned',
  ]),
  litmus(
    'cmdq-across-wrap',
    'a list whose CMD_SYNC stands behind the wrap',
    { CPU0: [synced(1)] },
    ['smmu-cmdq-wrap-inside', 'smmu-cmdq-waits-too-early'],
    { start: 3 },
  ),
  litmus(
    'cmdq-late-stores',
    'a list while stores reach memory late and out of order',
    { CPU0: [synced(1)] },
    ['smmu-cmdq-no-wmb', 'smmu-cmdq-valid-first'],
    { weak: 2 },
  ),
  litmus('cmdq-two-lists', 'two CPUs issue a command each', { CPU0: [list(1)], CPU1: [list(1)] }, [
    'smmu-cmdq-clears-owned-late',
    'smmu-cmdq-forgets-owned',
    'smmu-cmdq-no-owner-wait',
    'smmu-cmdq-owner-first',
    'smmu-cmdq-no-valid-poll',
    'smmu-cmdq-valid-first',
    'smmu-cmdq-plain-allocation',
  ]),
  litmus(
    'cmdq-two-lists-second-round',
    'the same in entries that were used before',
    {
      CPU0: [list(1)],
      CPU1: [list(1)],
    },
    ['smmu-cmdq-valid-polarity'],
    { start: 3 },
  ),
  litmus('cmdq-two-syncs', 'two CPUs issue a command each and wait', { CPU0: [synced(1)], CPU1: [synced(1)] }, [
    'smmu-cmdq-no-owner-wait',
    'smmu-cmdq-keeps-owned',
  ]),
  litmus(
    'cmdq-two-syncs-msi',
    'the same with a CMD_SYNC that is completed in its entry',
    {
      CPU0: [synced(1)],
      CPU1: [synced(1)],
    },
    ['smmu-cmdq-owner-first'],
    { msi: true },
  ),
  litmus('cmdq-full', 'there is room for one of two lists', { CPU0: [synced(2)], CPU1: [list(2)] }, [
    'smmu-cmdq-no-room-for-sync',
  ]),
  litmus(
    'cmdq-round-during-sync',
    'others go round the queue while a CPU waits for its CMD_SYNC',
    {
      CPU0: [synced(1)],
      CPU1: [list(2), list(2)],
    },
    ['smmu-cmdq-double-wrap', 'smmu-cmdq-cons-no-lock'],
  ),
  litmus(
    'cmdq-three-syncs',
    'two CPUs wait, and one of them once more',
    {
      CPU0: [synced(1), synced(1)],
      CPU1: [synced(1)],
    },
    ['smmu-cmdq-every-unlock-stores'],
  ),
  litmus(
    'cmdq-two-lists-during-sync',
    'a CPU waits for its CMD_SYNC while another one issues two lists',
    { CPU0: [synced(1)], CPU1: [list(2), synced(2)] },
    ['smmu-cmdq-unlock-before-store'],
  ),
  litmus('evtq-two-events', 'two events are recorded one after the other', { dev0: [event, event] }, [
    'smmu-evtq-missing-rmb',
  ]),
  litmus('evtq-round', 'events go round the queue', { dev0: [event, event, event] }, ['smmu-evtq-cons-first']),
];
