import { expect, test } from 'vitest';
import { lastLine, QemuGone } from './ending.ts';

test('the last line that is not empty explains the end', () => {
  expect(
    lastLine(
      'warning: a\n\n**\nERROR:x.c:1:f: assertion failed: (p)\nBail out! ERROR:x.c:1:f: assertion failed: (p)\n',
    ),
  ).toBe('ERROR:x.c:1:f: assertion failed: (p)');
  expect(lastLine('\n')).toBe('no message on standard error');
});

test('the error of a dead process carries the ending as data', () => {
  const ending = { kind: 'crash', signal: 'SIGABRT', message: 'assertion failed' } as const;
  expect(new QemuGone(ending)).toMatchObject({ ending, message: 'QEMU is gone (crash): assertion failed' });
});
