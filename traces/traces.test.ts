import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fuzz, type Found } from '../properties/campaign.ts';
import { minimise } from '../properties/minimise/minimise.ts';
import { TraceError } from './error.ts';
import { jsonSchema, traceSchema } from './format.ts';
import { loadTrace, parseTrace } from './load.ts';
import { toFound, toTrace } from './record.ts';
import { familyOf, replaySoftware, searchWithoutHazard } from './replay.ts';
import { saveTrace, traceName } from './save.ts';
import { serialise } from './serialise.ts';
import { ledger } from './testing/ledger.ts';
import { version } from './version.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-traces-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function find(hazard: string, seed = 1): Promise<Found> {
  const found: Found[] = [];
  const onFound = (one: Found) => (found.push(one), 'stop' as const);
  await fuzz(ledger, { hazard, seed, runs: 5_000, onFound });
  const [first] = found;
  if (first === undefined) throw new Error(`nothing found for ${hazard}`);
  return first;
}

const lostDeposit = toTrace(ledger, await find('deposit-without-lock'));

function problemOf(action: () => unknown): TraceError {
  try {
    action();
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error('no problem was reported');
}

describe('a trace', () => {
  test.each(ledger.hazards.map(({ id }) => id))(
    'of %s replays to the same failure after a round trip through a file',
    async (hazard) => {
      const trace = toTrace(ledger, await find(hazard));
      const { file } = saveTrace(trace, folder);
      const loaded = loadTrace(file ?? '');
      expect(loaded).toEqual(trace);
      if (loaded.kind !== 'software') throw new Error('wrong kind');
      const replayed = replaySoftware(loaded, ledger);
      expect(replayed.verdict).toBe('reproduced');
      expect(replayed.alignment.added).toBe(0);
      expect(replayed.alignment.schedule).toHaveLength(trace.schedule.length);
    },
  );

  test('is the same text for the same finding', async () => {
    expect(serialise(toTrace(ledger, await find('deposit-without-lock')))).toBe(serialise(lostDeposit));
  });

  test('keeps what the minimiser proved, and its own name', async () => {
    const found = await find('deposit-without-lock');
    const minimised = toTrace(ledger, await minimise(ledger, found, { seconds: 20 }));
    expect(minimised.minimal).toMatchObject({ operations: 'proved', schedule: 'proved', switches: 1 });
    expect(minimised.program.agents.flatMap(({ operations }) => operations)).toHaveLength(2);
    const again = replaySoftware(minimised, ledger);
    expect(again.verdict).toBe('reproduced');
    expect(toFound(minimised, again.alignment.schedule).failure.rule).toBe('lost-deposit');
  });

  test('of version 1, without what is known of the failure, is read as before', async () => {
    const { why, expected, ...rest } = lostDeposit;
    const { bug, ...old } = expected;
    expect([why?.length, bug?.rule]).toEqual([2, 'ledger/lost-deposit']);
    const trace = parseTrace(serialise({ ...rest, version: 1, expected: old }), 'x.json');
    if (trace.kind !== 'software') throw new Error('wrong kind');
    const replayed = replaySoftware(trace, ledger);
    expect(replayed.verdict).toBe('reproduced');
    const small = await minimise(ledger, toFound(trace, replayed.alignment.schedule), { seconds: 20 });
    expect(toTrace(ledger, small)).toMatchObject({
      version: 2,
      minimal: { operations: 'proved' },
      expected: { bug: { rule: bug?.rule } },
    });
  });

  test('does not fail without its hazard, under any schedule', () => {
    expect(searchWithoutHazard(lostDeposit, ledger, 1_000_000)).toMatchObject({ verdict: 'exhausted', failures: 0 });
  });
});

describe('re-alignment', () => {
  test('goes on through yield points that the stored schedule does not have', async () => {
    const trace = toTrace(ledger, await find('audit-never-told'));
    const thinned = { ...trace, schedule: trace.schedule.filter(([, label]) => !label.startsWith('lock')) };
    const replayed = replaySoftware(thinned, ledger);
    expect(replayed.verdict).toBe('reproduced');
    expect(replayed.alignment.misfit).toBeUndefined();
    expect(replayed.alignment.added).toBeGreaterThan(0);
  });

  test('says where a step is that the software no longer has', () => {
    const [first, ...rest] = lostDeposit.schedule;
    const schedule = [first, ['ANN', 'flush the ink', 0], ...rest].filter((choice) => choice !== undefined);
    const trace = traceSchema.parse({ ...lostDeposit, schedule });
    if (trace.kind !== 'software') throw new Error('wrong kind');
    const replayed = replaySoftware(trace, ledger);
    expect(replayed.alignment.misfit?.choice).toBe(1);
    expect(replayed.alignment.misfit?.why).toMatch(/ANN has ended and does not reach "flush the ink"/);
  });

  test('says who holds what when an agent cannot go on', () => {
    const trace = { ...lostDeposit, schedule: [...lostDeposit.schedule] };
    delete (trace as { hazard?: string }).hazard;
    trace.program = {
      agents: [
        { name: 'ANN', operations: [{ op: 'deposit', account: 0, amount: 1 }] },
        { name: 'BOB', operations: [{ op: 'deposit', account: 0, amount: 1 }] },
      ],
    };
    trace.schedule = [
      ['ANN', 'lock lock0', 0],
      ['BOB', 'lock lock0', 0],
    ];
    const { verdict, alignment } = replaySoftware(trace, ledger);
    expect(verdict).toBe('misfit');
    expect(alignment.misfit).toEqual({ choice: 1, why: expect.stringMatching(/BOB waits for lock0, held by ANN/) });
  });

  test('names an agent that is not there', () => {
    const { alignment } = replaySoftware({ ...lostDeposit, schedule: [['EVE', 'lock lock0', 0]] }, ledger);
    expect(alignment.misfit).toEqual({ choice: 0, why: 'there is no agent EVE.' });
  });
});

describe('a bad trace is refused with a message that helps', () => {
  const text = serialise(lostDeposit);
  const edited = (change: Record<string, unknown>) => JSON.stringify({ ...lostDeposit, ...change });

  test.each<[string, string, RegExp]>([
    ['not-json', text.slice(0, text.length / 2), /truncated/],
    ['not-json', '', /truncated/],
    ['not-json', text.replace(':', ';'), /not JSON/],
    ['not-a-trace', '{}', /not a Stalemate trace/],
    ['not-a-trace', '[1]', /not a Stalemate trace/],
    ['future-version', edited({ version: 3 }), /format version 3.*update stalemate/],
    ['invalid', edited({ version: 0 }), /version/],
    ['invalid', edited({ schedule: [['ANN', 'load', -1]] }), /schedule\[0\]\[2\]/],
    ['invalid', edited({ program: { agents: [{ name: 'ANN' }] } }), /program\.agents\[0\]\.operations/],
    ['invalid', edited({ colour: 'green' }), /colour/],
  ])('%s', (problem, content, message) => {
    const error = problemOf(() => parseTrace(content, 'x.json'));
    expect(error.problem).toBe(problem);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^x\.json/);
  });

  test('a file that is not there', () => {
    expect(problemOf(() => loadTrace(join(folder, 'nothing.json')))).toMatchObject({ problem: 'unreadable' });
  });

  test('an unknown family, hazard or configuration names the possible ones', () => {
    expect(problemOf(() => familyOf({ ...lostDeposit, family: 'leger' }, [ledger])).message).toMatch(
      /"leger".*it has: ledger/,
    );
    const hazard = problemOf(() => replaySoftware({ ...lostDeposit, hazard: 'none' }, ledger));
    expect(hazard.problem).toBe('unknown-hazard');
    expect(hazard.message).toMatch(/deposit-without-lock, transfer-lock-order/);
    const world = problemOf(() => replaySoftware({ ...lostDeposit, configuration: {} }, ledger));
    expect(world).toMatchObject({ problem: 'wrong-world', message: expect.stringMatching(/needs a "balance"/) });
  });
});

describe('saving', () => {
  test('leaves nothing but the file', () => {
    const own = mkdtempSync(join(folder, 'own-'));
    const { file, warning } = saveTrace(lostDeposit, join(own, 'deep', 'found'));
    expect(warning).toBeUndefined();
    expect(readdirSync(join(own, 'deep', 'found'))).toEqual([traceName(lostDeposit)]);
    expect(readFileSync(file ?? '', 'utf8')).toBe(serialise(lostDeposit));
  });

  test('goes to the temporary folder, with a warning, when the folder cannot be written', () => {
    const blocker = join(folder, 'a-file');
    writeFileSync(blocker, '');
    chmodSync(blocker, 0o400);
    const { file, warning } = saveTrace(lostDeposit, join(blocker, 'found'));
    expect(warning).toMatch(/cannot be written \(.*\): the trace is in/);
    expect(loadTrace(file ?? '')).toEqual(lostDeposit);
    rmSync(file ?? '', { force: true });
  });

  test('says so when there is no place at all', () => {
    const before = process.env['TMPDIR'];
    const blocker = join(folder, 'a-file');
    process.env['TMPDIR'] = blocker;
    try {
      expect(saveTrace(lostDeposit, join(blocker, 'found'))).toMatchObject({
        file: undefined,
        warning: expect.stringMatching(/follows here/),
      });
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  });
});

describe('published data', () => {
  test('the JSON Schema is current (npm run schema)', () => {
    expect(JSON.parse(readFileSync('traces/trace.schema.json', 'utf8'))).toEqual(jsonSchema());
  });

  test('the version is that of the package', () => {
    expect(JSON.parse(readFileSync('package.json', 'utf8'))).toMatchObject({ version });
  });
});
