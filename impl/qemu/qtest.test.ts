import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { QmpClient } from './qmp.ts';
import { QtestClient } from './qtest.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stalemate-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Plays QEMU: connects to the client's socket, keeps the lines it gets, and answers each through `answer`. */
const peer = (path: string, lines: string[], answer: (line: string) => string | undefined): Socket => {
  const socket = connect(path);
  socket.setEncoding('latin1');
  let rest = '';
  socket.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines.push(line);
      const reply = answer(line);
      if (reply !== undefined) socket.write(reply);
    }
  });
  return socket;
};

test('requests are pipelined and replies are matched in order', async () => {
  const path = join(folder, 'qtest');
  const client = new QtestClient(path);
  const lines: string[] = [];
  peer(path, lines, (line) => (line.startsWith('read') ? `OK 0x${line.split(' ')[1]?.slice(2)}\r\n` : 'OK\n'));
  await client.connected();
  client.writel(0x10, -1);
  client.writeq(0x18, 0x89abcdef | 0, 0x1234567);
  const first = client.readl(0xaa);
  client.writeq(0x20, 5, 0);
  expect(await Promise.all([first, client.readq(0xbb)])).toEqual([0xaa, 0xbbn]);
  expect(lines).toEqual([
    'writel 0x10 0xffffffff',
    'writeq 0x18 0x123456789abcdef',
    'readl 0xaa',
    'writeq 0x20 0x5',
    'readq 0xbb',
  ]);
  expect(client.replies).toBe(5);
});

test('a refused write fails what is asked afterwards, a refused request fails itself', async () => {
  const path = join(folder, 'qtest');
  const client = new QtestClient(path);
  peer(path, [], (line) =>
    line.startsWith('write') ? 'FAIL bad write\n' : line.startsWith('bad') ? 'ERR what\n' : 'OK 0x1\n',
  );
  await client.connected();
  await expect(client.request('bad')).rejects.toThrow('qtest refused a request: ERR what');
  expect(await client.readl(0)).toBe(1);
  client.writel(0, 0);
  await client.readl(0);
  await expect(client.readl(0)).rejects.toThrow('qtest refused a write: FAIL bad write');
});

test('the end of the process rejects what is waiting and everything later', async () => {
  const path = join(folder, 'qtest');
  const client = new QtestClient(path);
  peer(path, [], () => undefined);
  await client.connected();
  const unanswered = client.readl(0);
  expect(client.waiting).toBe(true);
  client.fail({ kind: 'crash', signal: 'SIGABRT', message: 'assertion failed' });
  await expect(unanswered).rejects.toMatchObject({ ending: { kind: 'crash', signal: 'SIGABRT' } });
  await expect(client.readl(0)).rejects.toThrow('assertion failed');
});

test('QMP: commands are answered in order, events between them are told apart, an error rejects', async () => {
  const path = join(folder, 'qmp');
  const client = new QmpClient(path);
  peer(path, [], (line) => {
    const { execute } = JSON.parse(line) as { execute: string };
    if (execute === 'nonsense') return '{"error":{"class":"CommandNotFound","desc":"no such command"}}\r\n';
    return execute === 'system_reset'
      ? '{"return":{}}\n{"event":"STOP"}\n{"event":"RESET"}\n'
      : '{"QMP":{}}\n{"return":{}}\n';
  });
  await client.connected();
  const reset = client.event('RESET');
  expect(await client.execute('system_reset')).toEqual({});
  expect(await reset).toMatchObject({ event: 'RESET' });
  await expect(client.execute('nonsense', { a: 1 })).rejects.toThrow('no such command');
  const never = client.event('NEVER');
  client.fail({ kind: 'exit', code: 1, message: 'gone' });
  await expect(never).rejects.toThrow('gone');
  await expect(client.execute('x')).rejects.toThrow('gone');
  await expect(client.event('x')).rejects.toThrow('gone');
});
