/** What becomes of the pinned VMIDs of the series of 2021 and 2024, whose new_vmid() does not store the id of a pinned machine. */
import { expect, test } from 'vitest';
import { NOTHING, type Step, type Task } from '../../engine/step.ts';
import { PLAIN, type VmidOperation } from './configuration.ts';
import { VMID_HAZARDS } from './hazards/index.ts';
import type { VmidParts } from './kernel.ts';
import { VmidWorld } from './world.ts';

const [A, B, C, D, E] = [0, 1, 2, 3, 4];
const run = (vm: number, vcpu = 0): VmidOperation => ({ op: 'run', vm, vcpu });
const put: VmidOperation = { op: 'put' };

/** Operations one after the other, each on a CPU: A is pinned, and stays in its guest on CPU0 during a roll-over. */
const STORY: readonly (readonly [cpu: number, operation: VmidOperation])[] = [
  [1, { op: 'pin', vm: A }],
  ...[B, C, D, E].map((vm) => [1, run(vm)] as const),
  [1, put],
  [0, run(A)],
  ...[B, C, D].map((vm) => [1, run(vm)] as const),
  [1, { op: 'unpin', vm: A }],
  [1, run(A, 1)],
];

/** Where the CPUs are at the end. */
function tell(parts: Partial<VmidParts>): readonly string[] {
  const world = new VmidWorld({ ...PLAIN, vmids: 4, vms: 5, vcpus: 2 }, parts);
  const cpus = [0, 1].map((cpu) => STORY.filter(([at]) => at === cpu).map(([, operation]) => operation));
  const program = { agents: cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations: [...operations] })) };
  const { agents } = world.load(program);
  const next = [0, 0];
  for (const [cpu] of STORY) {
    world.machine.current = cpu;
    finish(agents[cpu]?.operations[(next[cpu] as number)++]?.start());
  }
  world.machine.current = -1;
  return world.snapshot();
}

function finish(task: Task | undefined): void {
  for (let sent: unknown = undefined; ;) {
    const { done, value } = (task as Generator<Step, void, unknown>).next(sent);
    if (done === true) return;
    sent = value.run() ?? NOTHING;
  }
}

test('a machine runs under two VMIDs once its device is gone', () => {
  const series = VMID_HAZARDS.find(({ id }) => id === 'vmid-pinned-id-not-stored');
  expect(tell({})).toEqual(['CPU0 is in A, VMID 1', 'CPU1 is in A, VMID 1']);
  expect(tell(series?.parts ?? {})).toEqual(['CPU0 is in A, VMID 1', 'CPU1 is in A, VMID 3']);
});
