/**
 * A family for tests of traces, reports and the command: two clerks, two accounts, no IOMMU. Small enough to know every
 * outcome by heart, and its three hazards fail in the three ways that reports tell apart.
 */
import fc from 'fast-check';
import { Cell } from '../../engine/cell.ts';
import { Machine } from '../../engine/machine.ts';
import type { Task } from '../../engine/step.ts';
import { Completion } from '../../engine/sync/completion.ts';
import { Mutex } from '../../engine/sync/lock.ts';
import type { System } from '../../engine/system.ts';
import type { Configuration, Counters, Family, Hazard, Operation, Program, World } from '../../properties/family.ts';

const hazards: readonly Hazard[] = [
  {
    id: 'deposit-without-lock',
    title: 'deposit reads and writes the balance without the lock',
    citation: 'a textbook',
    story: 'Two deposits at once: the second store overwrites the first.',
    expected: [{ monitor: 'ledger', rule: 'lost-deposit' }],
  },
  {
    id: 'transfer-lock-order',
    title: 'transfer locks the account that gives first',
    citation: 'a textbook',
    story: 'Two transfers in opposite directions wait for each other.',
    expected: [{ monitor: 'deadlock', rule: 'lock-cycle' }],
  },
  {
    id: 'audit-never-told',
    title: 'deposit does not complete the auditor',
    citation: 'a textbook',
    story: 'The auditor sleeps for ever.',
    expected: [{ monitor: 'deadlock', rule: 'lost-wake-up' }],
  },
];

const deposit = fc.record({ op: fc.constant('deposit'), account: fc.nat(1), amount: fc.integer({ min: 1, max: 9 }) });
const transfer = fc.record({ op: fc.constant('transfer'), from: fc.nat(1), amount: fc.integer({ min: 1, max: 9 }) });
const audit = fc.record({ op: fc.constant('audit') });

const startBalances = 20;

/** The family. */
export const ledger: Family = {
  name: 'ledger',
  summary: 'two accounts',
  hazards,
  litmus: [
    {
      id: 'two-deposits',
      title: 'two deposits to one account',
      hazards: ['deposit-without-lock'],
      configuration: { balance: 10 },
      program: twoClerks([{ op: 'deposit', account: 0, amount: 1 }], [{ op: 'deposit', account: 0, amount: 2 }]),
    },
    {
      id: 'opposite-transfers',
      title: 'two transfers in opposite directions',
      hazards: ['transfer-lock-order'],
      configuration: { balance: 10 },
      program: twoClerks([{ op: 'transfer', from: 0, amount: 1 }], [{ op: 'transfer', from: 1, amount: 2 }]),
    },
    {
      id: 'audited-deposit',
      title: 'an auditor waits for a deposit',
      hazards: ['audit-never-told'],
      configuration: { balance: 10 },
      program: twoClerks([{ op: 'deposit', account: 0, amount: 1 }], [{ op: 'audit' }]),
    },
  ],
  configurations: fc.record({ balance: fc.constant(10) }),
  programs: () => {
    const list = fc.array(fc.oneof(deposit, transfer), { minLength: 1, maxLength: 4 });
    // One auditor at the end, after at least one deposit of the other clerk: a correct ledger always wakes him.
    const audited = fc
      .tuple(deposit, list, list)
      .map(([first, a, b]) => twoClerks([first, ...a], [...b, { op: 'audit' }]));
    return fc.oneof(
      fc.tuple(list, list).map(([a, b]) => twoClerks(a, b)),
      fc.tuple(audited, audit).map(([program]) => program),
    );
  },
  world: (configuration, hazard) => new Ledger(configuration, hazard),
  simplify: (operation) =>
    typeof operation['amount'] === 'number' && operation['amount'] > 1 ? [{ ...operation, amount: 1 }] : [],
  witnesses: ['both accounts used'],
};

/** A program for the two clerks. */
export function twoClerks(first: readonly Operation[], second: readonly Operation[]): Program {
  return {
    agents: [
      { name: 'ANN', operations: first },
      { name: 'BOB', operations: second },
    ],
  };
}

class Ledger implements World {
  readonly configuration: Configuration;
  readonly counters: Counters = { witnesses: { 'both accounts used': 0 }, operations: {} };
  readonly #hazard: string | undefined;
  readonly #machine = new Machine();
  readonly #balances: readonly Cell[];
  readonly #locks: readonly Mutex[];
  readonly #told = new Completion(this.#machine, 'told');
  #expected = 0;

  constructor(configuration: Configuration, hazard: string | undefined) {
    const balance = configuration['balance'];
    if (typeof balance !== 'number') throw new RangeError('a ledger needs a "balance"');
    if (hazard !== undefined && !hazards.some(({ id }) => id === hazard)) throw new RangeError(`no hazard ${hazard}`);
    this.configuration = configuration;
    this.#hazard = hazard;
    this.#balances = [0, 1].map((account) => new Cell(this.#machine, `balance${account}`));
    this.#locks = [0, 1].map((account) => new Mutex(this.#machine, `lock${account}`));
    for (const cell of this.#balances) cell.value = balance;
  }

  load(program: Program): System {
    const operations = program.agents.flatMap((agent) => agent.operations);
    this.#expected = startBalances;
    for (const { op, amount } of operations) if (op === 'deposit') this.#expected += Number(amount);
    const accounts = new Set(operations.flatMap(({ account }) => (account === undefined ? [] : [account])));
    if (accounts.size === 2) this.counters.witnesses['both accounts used'] = 1;
    return {
      machine: this.#machine,
      agents: program.agents.map(({ name, operations: list }) => ({
        name,
        context: 'process',
        daemon: false,
        operations: list.map((operation) => ({ label: label(operation), start: () => this.#start(operation) })),
      })),
      quiescent: () => this.#balance(),
    };
  }

  snapshot(): readonly string[] {
    const [a, b] = this.#balances.map((cell) => cell.value);
    return a === b ? ['accounts are level'] : [];
  }

  explain(): { head: string; text: string }[] {
    return [
      { head: 'Then', text: `every deposit is in a balance once all are done: ${this.#expected} in total.` },
      {
        head: 'However',
        text: 'a balance was stored that had been computed before the other deposit: a contradiction.',
      },
    ];
  }

  describeOperation(operation: Operation): string {
    return operation.op === 'audit'
      ? 'waits for a first deposit'
      : `account ${String(operation['account'] ?? operation['from'])}`;
  }

  #start(operation: Operation): Task {
    const counts = (this.counters.operations[operation.op] ??= { run: 0, rejected: 0 });
    counts.run++;
    const amount = Number(operation['amount']);
    if (operation.op === 'deposit') return this.#deposit(Number(operation['account']), amount);
    if (operation.op === 'transfer') return this.#transfer(Number(operation['from']), amount);
    if (operation.op === 'audit') return this.#audit();
    throw new RangeError(`a ledger has no operation ${operation.op}`);
  }

  *#deposit(account: number, amount: number): Task {
    const { cell, lock } = this.#account(account);
    const locked = this.#hazard !== 'deposit-without-lock';
    if (locked) yield* lock.lock();
    const before = yield* cell.load();
    yield* cell.store(before + amount);
    if (locked) yield* lock.unlock();
    if (this.#hazard !== 'audit-never-told') yield* this.#told.completeAll();
  }

  *#transfer(from: number, amount: number): Task {
    const order = this.#hazard === 'transfer-lock-order' ? [from, 1 - from] : [0, 1];
    for (const account of order) yield* this.#account(account).lock.lock();
    const taken = yield* this.#account(from).cell.load();
    yield* this.#account(from).cell.store(taken - amount);
    const given = yield* this.#account(1 - from).cell.load();
    yield* this.#account(1 - from).cell.store(given + amount);
    for (const account of order) yield* this.#account(account).lock.unlock();
  }

  *#audit(): Task {
    if (this.#expected > startBalances) yield* this.#told.wait();
  }

  #account(index: number): { cell: Cell; lock: Mutex } {
    const cell = this.#balances[index];
    const lock = this.#locks[index];
    if (cell === undefined || lock === undefined) throw new RangeError(`a ledger has no account ${index}`);
    return { cell, lock };
  }

  #balance(): void {
    const total = this.#balances.reduce((sum, cell) => sum + cell.value, 0);
    if (total === this.#expected) return;
    const message = `The balances add up to ${total}, the deposits to ${this.#expected}: a deposit is lost.`;
    this.#machine.fail({ monitor: 'ledger', rule: 'lost-deposit', message });
  }
}

function label({ op, ...rest }: Operation): string {
  return `${op}(${Object.values(rest).join(', ')})`;
}
