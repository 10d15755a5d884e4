import { describe, expect, test } from 'vitest';
import { asid } from '../properties/asid/index.ts';
import { exitCode } from './exit.ts';
import { stalemate } from './testing/stalemate.ts';

const explore = (line: string) => stalemate(`explore ${line}`, [asid]);

describe('explore', () => {
  test('with a bound on context switches says so, and finds what needs no more', async () => {
    const none = await explore('unmap-during-bind --hazard share-asid-unmap-window --switches 0');
    expect(none.terminal.text).toContain('✗ not violated with up to 0 switches');
    const one = await explore('unmap-during-bind --switches 1');
    expect(one.terminal.text).toContain('✓ holds with up to 1 switch');
    expect(one.terminal.text).toContain('✓ violated: ');
    expect(one.code).toBe(exitCode.holds);
  });

  test.each(['compact', 'bitstate'])('with --visited %s never says that it holds', async (visited) => {
    const { code, terminal } = await explore(`unmap-during-bind --visited ${visited} --memory 1`);
    expect(terminal.text).toMatch(/✓ none found, (0|\de-\d+) states missed/);
    expect(terminal.text).not.toContain('✓ holds');
    expect(code).toBe(exitCode.holds);
  });

  test.each([
    ['--switches 1 --checkpoint x', '--checkpoint keeps states in full'],
    ['--visited compact --memory 5000', '--memory must be 1 to 4096'],
  ])('refuses %s', async (options, message) => {
    const { code, stderr } = await explore(`unmap-during-bind ${options}`);
    expect(stderr).toContain(message);
    expect(code).toBe(exitCode.usage);
  });
});
