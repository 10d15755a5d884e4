import fc from 'fast-check';
import type { Operation, Program } from '../family.ts';
import { FRAMES, PAGES, type AsidConfiguration } from './configuration.ts';
import type { AsidOperation } from './operations.ts';

/**
 * Programs for a world: operations are drawn one after the other as if they ran in that order, weighted by what the state
 * reached so far makes interesting, and dealt out to the agents. A concurrent run then finds most of them applicable,
 * and those that are not are rejected quietly. Each program does without some kinds (swarm testing: Groce et al.,
 * ISSTA 2012), since a full flush, say, hides what a range flush forgets.
 */
export function programs(configuration: AsidConfiguration): fc.Arbitrary<Program> {
  return fc
    .record({
      on: configuration.lazy
        ? fc.oneof(fc.constant(ALL), fc.nat(ALL), fc.constant(DMA_API))
        : fc.oneof(fc.constant(ALL), fc.nat(ALL)),
      draws: fc.array(fc.record({ agent: fc.nat(15), choice: fc.nat(0xffff), frame: fc.nat(FRAMES - 1) }), {
        minLength: 2,
        maxLength: 9,
        size: 'max',
      }),
    })
    .map(({ on, draws }) => deal(configuration, on, draws));
}

/** Kinds that a program has or does without, together. */
const SWARM: readonly (readonly AsidOperation['op'][])[] = [
  ['attach', 'detach'],
  ['map', 'unmap'],
  ['mapBlock', 'split', 'unmapTable'],
  ['domainAlloc', 'domainFree'],
  ['asidPressure'],
  ['bind', 'unbind'],
  ['mmap', 'munmap'],
  ['exit'],
  ['dmaMap', 'dmaUnmap', 'dmaFlush'],
  ['dma'],
];
const ALL = (1 << SWARM.length) - 1;
/** Only the DMA API: its flush queue needs several operations in a row. */
const DMA_API = 1 << SWARM.findIndex((group) => group.includes('dmaMap'));

const CPUS = ['CPU0', 'CPU1', 'CPU2'] as const;
/** Which CPU gets an operation: two are mostly enough, three sometimes needed. */
const CPU_OF = [0, 1, 0, 1, 0, 1, 2];

interface Draw {
  readonly agent: number;
  readonly choice: number;
  readonly frame: number;
}

function deal(configuration: AsidConfiguration, on: number, draws: readonly Draw[]): Program {
  const kinds = new Set(SWARM.flatMap((group, index) => (((on >> index) & 1) === 1 ? group : [])));
  const state = new SketchState(configuration);
  const operations = new Map<string, Operation[]>();
  for (const { agent, choice, frame } of draws) {
    const all = state.choices(frame);
    const choices = all.filter(([, { op }]) => kinds.has(op));
    const operation = pick(choices.length > 0 ? choices : all, choice);
    state.apply(operation);
    const name =
      operation.op === 'dma' ? `dev${operation.device}` : (CPUS[CPU_OF[agent % CPU_OF.length] ?? 0] ?? 'CPU0');
    const list = operations.get(name) ?? [];
    list.push(operation);
    operations.set(name, list);
  }
  const names = [...operations.keys()].sort();
  return { agents: names.map((name) => ({ name, operations: operations.get(name) ?? [] })) };
}

type Weighted = readonly [weight: number, operation: AsidOperation];

function pick(choices: readonly Weighted[], choice: number): AsidOperation {
  const total = choices.reduce((sum, [weight]) => sum + weight, 0);
  let left = choice % total;
  for (const [weight, operation] of choices) {
    left -= weight;
    if (left < 0) return operation;
  }
  return { op: 'detach', device: 0 };
}

/** A rough idea of the state that a program has reached, enough to draw operations that apply. */
class SketchState {
  readonly #attached: number[];
  readonly #mapped: boolean[][];
  readonly #blocks: boolean[];
  readonly #domains: boolean[];
  readonly #bound = new Map<string, number>();
  readonly #alive: boolean[];
  readonly #mm: boolean[][];
  readonly #buffers: boolean[];

  constructor({ masters, mapped, block, processes, bound, lazy }: AsidConfiguration) {
    this.#attached = [0, 1].map((device) => (device < masters ? 0 : -1));
    this.#mapped = [PAGES.map((_, page) => page < mapped), PAGES.map(() => false)];
    this.#blocks = [block, false];
    this.#domains = [true, true];
    this.#alive = Array.from({ length: processes }, () => true);
    this.#mm = Array.from({ length: processes }, (_, process) =>
      PAGES.map((_page, page) => process === 0 && page === 0),
    );
    this.#buffers = lazy ? [true, false] : [];
    if (bound) this.#bound.set('0/0', 1);
  }

  /** What could be done now, with weights. */
  choices(frame: number): Weighted[] {
    return [
      ...this.#deviceChoices(),
      ...this.#domainChoices(frame),
      ...this.#processChoices(frame),
      ...this.#dmaApiChoices(frame),
    ];
  }

  #deviceChoices(): Weighted[] {
    return this.#attached.flatMap((domain, device): Weighted[] => [
      [domain === 0 ? 1 : 4, { op: 'attach', domain: 0, device }],
      [2, { op: 'attach', domain: 1, device }],
      [domain < 0 ? 1 : 4, { op: 'detach', device }],
      ...PAGES.map((_, page): Weighted => [1, { op: 'dma', device, page, process: -1 }]),
      [1, { op: 'dma', device, page: 0, process: 0 }],
    ]);
  }

  #domainChoices(frame: number): Weighted[] {
    return this.#domains.flatMap((exists, domain): Weighted[] => {
      if (!exists) return [[6, { op: 'domainAlloc', domain }]];
      const mapped = this.#mapped[domain] ?? [];
      const weight = domain === 0 ? 3 : 1;
      const pages = mapped.flatMap((is, page): Weighted[] =>
        is
          ? [[4 * weight, { op: 'unmap', domain, page }]]
          : this.#blocks[domain] === true
            ? []
            : [[2 * weight, { op: 'map', domain, page, frame }]],
      );
      const block: Weighted[] =
        this.#blocks[domain] === true
          ? [
              [4 * weight, { op: 'split', domain }],
              [2 * weight, { op: 'unmapTable', domain }],
            ]
          : mapped.some(Boolean)
            ? [[2 * weight, { op: 'unmapTable', domain }]]
            : [[2 * weight, { op: 'mapBlock', domain, frame }]];
      const free: Weighted[] = this.#attached.includes(domain) ? [] : [[4, { op: 'domainFree', domain }]];
      return [...pages, ...block, ...free];
    });
  }

  #processChoices(frame: number): Weighted[] {
    const processes = this.#alive.flatMap((alive, process): Weighted[] => {
      const bonds = this.#attached.flatMap((domain, device): Weighted[] => {
        if ((this.#bound.get(`${process}/${device}`) ?? 0) > 0)
          return [
            [5, { op: 'unbind', process, device }],
            [1, { op: 'bind', process, device }],
          ];
        return alive && domain >= 0 ? [[8, { op: 'bind', process, device }]] : [];
      });
      const pages = (this.#mm[process] ?? []).flatMap((is, page): Weighted[] =>
        is ? [[4, { op: 'munmap', process, page }]] : [[2, { op: 'mmap', process, page, frame }]],
      );
      return [...bonds, ...(alive ? [...pages, [1, { op: 'exit', process }] as const] : [])];
    });
    return [...processes, [3, { op: 'asidPressure' }]];
  }

  #dmaApiChoices(frame: number): Weighted[] {
    if (this.#buffers.length === 0) return [];
    const buffers = this.#buffers.map((mapped, buffer): Weighted =>
      mapped ? [8, { op: 'dmaUnmap', buffer }] : [8, { op: 'dmaMap', buffer, frame }],
    );
    return [...buffers, [6, { op: 'dmaFlush' }]];
  }

  /** Takes note of an operation as if it had run alone. */
  apply(operation: AsidOperation): void {
    switch (operation.op) {
      case 'attach':
        this.#attached[operation.device] = operation.domain;
        return;
      case 'detach':
        this.#attached[operation.device] = -1;
        return;
      case 'map':
      case 'unmap':
        this.#pages(operation.domain)[operation.page] = operation.op === 'map';
        return;
      case 'mapBlock':
      case 'unmapTable':
        this.#blocks[operation.domain] = operation.op === 'mapBlock';
        this.#pages(operation.domain).fill(false);
        return;
      case 'split':
        this.#blocks[operation.domain] = false;
        this.#pages(operation.domain).fill(true);
        return;
      case 'domainAlloc':
      case 'domainFree':
        this.#domains[operation.domain] = operation.op === 'domainAlloc';
        this.#blocks[operation.domain] = false;
        this.#pages(operation.domain).fill(false);
        return;
      case 'bind':
      case 'unbind':
        this.#bound.set(`${operation.process}/${operation.device}`, operation.op === 'bind' ? 1 : 0);
        return;
      case 'mmap':
      case 'munmap':
        (this.#mm[operation.process] ?? [])[operation.page] = operation.op === 'mmap';
        return;
      case 'exit':
        this.#alive[operation.process] = false;
        return;
      case 'dmaMap':
      case 'dmaUnmap':
        this.#buffers[operation.buffer] = operation.op === 'dmaMap';
        return;
      case 'asidPressure':
      case 'dmaFlush':
      case 'dma':
    }
  }

  #pages(domain: number): boolean[] {
    return this.#mapped[domain] ?? [];
  }
}
