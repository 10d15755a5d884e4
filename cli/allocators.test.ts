/** `stalemate explore allocators`: what it prints and exits with. That the numbers are right is checked in `model/allocators`. */
import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { exitCode } from './exit.ts';
import { stalemate } from './testing/stalemate.ts';

describe('explore allocators', () => {
  test('prints a row for each exploration, and what it came by', async () => {
    const { code, terminal } = await stalemate('explore allocators/vmid');
    expect(code).toBe(exitCode.holds);
    expect(terminal.text).toMatch(
      /vmid {2}2 CPUs, 2 machines +✓ holds +779,523 +235,244 +61 +[\d.]+ s\n {6}reached: the/,
    );
    expect(terminal.text).toMatch(/\n4 explorations: all as they should be\.$/);
  });

  test('has the counts of TLC beside its own; ends early with what is finished', async () => {
    setTimeout(() => process.emit('SIGINT'), 0);
    const { code, terminal } = await stalemate('explore allocators --json');
    expect(code).toBe(exitCode.interrupted);
    const counts = { generated: 652_477, distinct: 197_000, depth: 61 };
    const first = { event: 'explored', allocator: 'asid', verdict: 'holds', published: counts, ...counts };
    expect(terminal.events[0]).toMatchObject(first);
    expect(terminal.events.at(-1)).toEqual({ event: 'interrupted', done: terminal.events.length - 1 });
  });

  test('shows the shortest counterexample of a mistake', async () => {
    const { code, terminal } = await stalemate('explore allocators/vmid --hazard no-flush');
    expect(code).toBe(exitCode.violation);
    expect(terminal.text).toMatch(/2 CPUs, 2 machines +not violated here/);
    expect(terminal.text).toMatch(/1 CPU, 3 machines, 2 VMIDs +✗ shared-tag/);
    expect(terminal.text).toMatch(
      /The shortest counterexample: vmid, 1 CPU, 3 machines, 2 VMIDs, 40 steps\.\n +1 {2}CPU0 A .* 38 {2}CPU0 C +store context\.id +context\.id\[2\] none → 1\/g2\n.* 40 {2}CPU0 C .*\nA tag stands for A and C in one TLB\./s,
    );
  });

  test('that ends at a bound on states is no success', async () => {
    const { code, terminal } = await stalemate('explore allocators/vmid --states 1000');
    expect(code).toBe(exitCode.harness);
    expect(terminal.text).toMatch(/✗ not exhausted \(states\)/);
    expect(terminal.text).toMatch(/not reached, as it should have been: .*a roll-over happened/s);
  });

  test('refuses what is not for it', async () => {
    const { code, stderr } = await stalemate('explore allocators --hazard no-flsh');
    expect(code).toBe(exitCode.usage);
    expect(stderr).toMatch(/no hazard of allocators "no-flsh"\. Did you mean no-flush\?/);
    const kept = await stalemate('explore allocators --checkpoint /tmp/stalemate-none');
    expect(kept.code).toBe(exitCode.usage);
    expect((await stalemate('explore alocators')).stderr).toMatch(/Did you mean allocators\?/);
  });
});

test('Ctrl-C is heard while a process explores', async () => {
  const child = spawn('node', ['bin/stalemate.js', 'explore', 'allocators'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let pressed = false;
  const take = (data: Buffer): void => {
    output += data.toString();
    if (pressed || !output.includes('spaces and CPUs')) return;
    // The next row takes seconds.
    pressed = child.kill('SIGINT');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  expect(await new Promise((resolve) => void child.once('close', resolve))).toBe(exitCode.interrupted);
  expect(output).toMatch(/✓ holds, counted as by TLC .*Interrupted after 2 explorations\./s);
});
