import type fc from 'fast-check';
import type { Configuration, Program } from '../family.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { Deal } from '../generate/deal.ts';
import type { Draw } from '../generate/draw.ts';
import {
  applies,
  GROUPS,
  OPERATIONS,
  prsConfiguration,
  SPACES,
  type PrsConfiguration,
  type PrsOperation,
} from './configuration.ts';

const OPERATIONS_MIN = 2;
const OPERATIONS_MAX = 9;
const CPUS = 3;

/** How often each kind of operation, in programs about life and in programs about traffic. */
const LIFE: Readonly<Record<PrsOperation['op'], number>> = {
  attach: 5,
  detach: 6,
  release: 1,
  fault: 6,
  send: 3,
  stop: 1,
  read: 1,
  write: 2,
  failNth: 2,
  replace: 4,
  bind: 5,
  unbind: 6,
  exit: 4,
  close: 1,
  again: 1,
};
const TRAFFIC: Readonly<Record<PrsOperation['op'], number>> = {
  attach: 2,
  detach: 3,
  release: 1,
  fault: 8,
  send: 6,
  stop: 1,
  read: 1,
  write: 2,
  failNth: 2,
  replace: 2,
  bind: 2,
  unbind: 3,
  exit: 2,
  close: 1,
  again: 1,
};

/** Random programs: devices that ask, CPUs that take away what they ask of and give it to others. */
export function programs(configuration: Configuration): fc.Arbitrary<Program> {
  const known = prsConfiguration(configuration);
  return arbitraryOf((draw) => {
    const deal = new Deal();
    const weights = draw.weighted([
      [1, LIFE],
      [1, TRAFFIC],
    ]);
    draw.list(OPERATIONS_MIN, OPERATIONS_MAX, () => {
      const op = draw.weighted(OPERATIONS.map((kind) => [applies(kind, known) ? weights[kind] : 0, kind] as const));
      const operation = drawOperation(draw, op, known);
      if (!deal.giveCpu(draw.below(CPUS), operation)) draw.duplicate();
    });
    return deal.program();
  });
}

function drawOperation(draw: Draw, op: PrsOperation['op'], { devices, pasids }: PrsConfiguration): PrsOperation {
  const device = (): number => draw.below(devices);
  const pasid = (): number => 1 + draw.below(pasids);
  switch (op) {
    case 'attach':
    case 'replace':
      return { op, device: device(), pasid: pasid(), space: draw.below(SPACES) };
    case 'detach':
      return { op, device: device(), pasid: pasid() };
    case 'release':
      return { op, device: device() };
    case 'fault':
      return { op, device: device(), pasid: pasid(), group: draw.below(GROUPS), pages: 1 + draw.below(2) };
    case 'send':
      return { op, device: device(), pasid: pasid(), group: draw.below(GROUPS), last: draw.below(2) === 1 };
    case 'again':
      return { op, device: device(), pasid: pasid(), group: draw.below(GROUPS) };
    case 'stop':
      return { op, device: device(), pasid: pasid() };
    case 'failNth':
      return { op, nth: 1 + draw.below(2), irq: draw.below(4) > 0 };
    case 'bind':
    case 'unbind':
      return { op, device: device(), process: draw.below(SPACES) };
    case 'exit':
      return { op, process: draw.below(SPACES) };
    case 'read':
    case 'close':
      return { op };
    case 'write':
      return { op, cookie: draw.below(2) };
  }
}

/** One of each kind where groups and messages mean nothing. */
function canStall(operation: PrsOperation): boolean {
  if (operation.op === 'fault') return operation.pages === 1 && operation.group === 0;
  if (operation.op === 'send') return operation.last && operation.group === 0;
  return operation.op !== 'stop';
}

/** Every operation. */
export function alphabet(configuration: Configuration): PrsOperation[] {
  const known = prsConfiguration(configuration);
  const { devices, pasids, stall } = known;
  const each = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
  const users: PrsOperation[] = [{ op: 'read' }, { op: 'write', cookie: 0 }, { op: 'close' }];
  const onDevices = each(devices).flatMap((device) => [
    ...each(pasids).flatMap((at) => [
      ...each(SPACES).flatMap((space): PrsOperation[] => [
        { op: 'attach', device, pasid: at + 1, space },
        { op: 'replace', device, pasid: at + 1, space },
      ]),
      { op: 'detach', device, pasid: at + 1 } as const,
      { op: 'stop', device, pasid: at + 1 } as const,
      ...each(GROUPS).flatMap((group): PrsOperation[] => [
        { op: 'fault', device, pasid: at + 1, group, pages: 1 },
        { op: 'fault', device, pasid: at + 1, group, pages: 2 },
        { op: 'send', device, pasid: at + 1, group, last: false },
        { op: 'send', device, pasid: at + 1, group, last: true },
        { op: 'again', device, pasid: at + 1, group },
      ]),
    ]),
    { op: 'release', device } as const,
    ...each(SPACES).flatMap((process): PrsOperation[] => [
      { op: 'bind', device, process },
      { op: 'unbind', device, process },
    ]),
  ]);
  const exits = each(SPACES).map((process): PrsOperation => ({ op: 'exit', process }));
  const failures: PrsOperation[] = [
    { op: 'failNth', nth: 1, irq: true },
    { op: 'failNth', nth: 2, irq: true },
    { op: 'failNth', nth: 1, irq: false },
  ];
  const all = [...onDevices, ...exits, ...users, ...failures].filter(({ op }) => applies(op, known));
  return stall ? all.filter(canStall) : all;
}
