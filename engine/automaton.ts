import type { AgentSpec } from './agent.ts';
import { hashResult, mixHigh, mixLow, printOfText, type Lanes } from './hash.ts';
import type { Trail } from './memo.ts';
import { Forget, NOTHING, type Step, type Task } from './step.ts';
import type { Waitable } from './waitable.ts';

/**
 * The local states of the tasks of one program, as an automaton that is built as it is walked.
 *
 * A task's local state is a function of the results it has received, so a node is (agent, operation, history of
 * results) and carries the step that is pending there. Generators are resumed only when a node is first made; from then
 * on running and searching walk nodes and call closures. The first child of a node takes its generator over; another
 * child gets a new one by replaying the short local history.
 */
export class Node {
  readonly agent: number;
  /** Index of the node in `Automaton.nodes`. */
  readonly id: number;
  /** Index of the operation within the agent's list; equal to its length when the agent has ended. */
  readonly operation: number;
  /** The pending step; undefined when the agent has ended. */
  readonly step: Step | undefined;
  /** The pending step's closure and wait, one load away in the inner loop. */
  readonly run: () => unknown;
  readonly wait: Waitable | undefined;
  /** Number of steps of this operation before this node. */
  readonly depth: number;
  /** Fingerprint lanes of the local state. */
  readonly low: number;
  readonly high: number;

  /** @internal how the node was first reached: replaying these results rebuilds its generator. */
  readonly parent: Node | undefined;
  /** @internal */
  readonly result: unknown;
  /** @internal the key by which a task is known here, if it has just forgotten what it received. */
  readonly key: string | number | undefined;
  /** @internal the generator suspended here, until a child takes it over. */
  task: Task | undefined;
  /** @internal what the step did before, by what it read (`StepMemo`). */
  trail: Trail | undefined;
  /** @internal `Store.epoch` for which the trail holds. */
  trailEpoch = 0;
  /** @internal the children for the results that nearly all steps have: nothing, yes, no, and the first number. */
  afterNothing: Node | undefined;
  /** @internal */
  afterTrue: Node | undefined;
  /** @internal */
  afterFalse: Node | undefined;
  /** @internal */
  number = 0;
  /** @internal */
  afterNumber: Node | undefined;
  /** @internal the other results and the children for them, side by side: mostly one or two. */
  otherResults: unknown[] | undefined;
  /** @internal */
  otherChildren: Node[] | undefined;

  constructor(
    id: number,
    place: Place,
    step: Step | undefined,
    task: Task | undefined,
    print: Lanes,
    key?: string | number,
  ) {
    this.id = id;
    this.agent = place.agent;
    this.operation = place.operation;
    this.parent = place.parent;
    this.result = place.result;
    this.key = key;
    this.depth = place.parent === undefined ? 0 : place.parent.depth + 1;
    this.step = step;
    this.run = step === undefined ? notRunnable : step.run;
    this.wait = step?.wait;
    this.task = task;
    this.trail = undefined;
    this.low = print.low;
    this.high = print.high;
  }
}

interface Place {
  readonly agent: number;
  readonly operation: number;
  readonly parent: Node | undefined;
  readonly result: unknown;
}

/** Fingerprint of the start of an operation, or of the end of an agent. */
export function printOfStart(agent: number, operation: number): Lanes {
  return { low: mixLow(agent + 1, operation), high: mixHigh(agent + 1, operation) };
}

/**
 * Fingerprint of the local state behind a step. Both lanes are computed apart, each from its own: one lane from the other
 * would make a fingerprint of 32 bits.
 *
 * @param before fingerprint of the local state with the step.
 */
export function printOfResult(before: Lanes, result: unknown): Lanes {
  return { low: mixLow(before.low, hashResult(result)), high: mixHigh(before.high, hashResult(result, 0x9e3779b9)) };
}

/** Fingerprint of a local state that is known by a key. */
export function printOfKey(agent: number, operation: number, key: string | number): Lanes {
  return printOfText(nameOfKey(agent, operation, key));
}

function nameOfKey(agent: number, operation: number, key: string | number): string {
  return `${agent}/${operation}/${key}`;
}

function historyPrint({ agent, operation, parent, result }: Place): Lanes {
  return parent === undefined ? printOfStart(agent, operation) : printOfResult(parent, result);
}

function notRunnable(): never {
  throw new Error('an agent that has ended was run');
}

/** The automaton of a program: one start node for each agent, `next` for the rest. */
export class Automaton {
  readonly agents: readonly AgentSpec[];
  /** Every node made so far, by id. */
  readonly nodes: Node[] = [];
  /**
   * True once a task has come back to a place where it was (by `forget`). While false, no state is ever reached from itself,
   * since each step makes its agent's (operation, id) grow.
   */
  loops = false;
  readonly #roots: Map<number, Node>[] = [];
  readonly #merged = new Map<string, Node>();

  constructor(agents: readonly AgentSpec[]) {
    this.agents = agents;
    for (let agent = 0; agent < agents.length; agent++) this.#roots.push(new Map());
  }

  /** Where an agent begins. */
  start(agent: number): Node {
    return this.#root(agent, 0);
  }

  /**
   * The local state after the pending step of `node` returned `result`. Each kind of result is compared by itself, since the
   * comparison of any value with any other is a call in the inner loop.
   */
  next(node: Node, result: unknown): Node {
    let child: Node | undefined;
    if (result === undefined) child = node.afterNothing;
    else if (typeof result === 'number') {
      if (result === node.number) child = node.afterNumber;
    } else if (result === true) child = node.afterTrue;
    else if (result === false) child = node.afterFalse;
    return child ?? this.#nextOfMany(node, result);
  }

  #nextOfMany(node: Node, result: unknown): Node {
    const results = node.otherResults;
    if (results !== undefined)
      for (let at = 0; at < results.length; at++)
        if (results[at] === result) return (node.otherChildren as Node[])[at] as Node;
    return this.#addChild(node, result);
  }

  #addChild(node: Node, result: unknown): Node {
    const child = this.#make(node, result);
    if (result === undefined) node.afterNothing = child;
    else if (result === true) node.afterTrue = child;
    else if (result === false) node.afterFalse = child;
    else if (typeof result === 'number' && node.afterNumber === undefined) {
      node.number = result;
      node.afterNumber = child;
    } else {
      (node.otherResults ??= []).push(result);
      (node.otherChildren ??= []).push(child);
    }
    return child;
  }

  #make(node: Node, result: unknown): Node {
    const task = node.task ?? this.#replay(node);
    node.task = undefined;
    return this.#settle(task, { agent: node.agent, operation: node.operation, parent: node, result });
  }

  /** Runs a task up to its next step, and makes or finds the node for it. */
  #settle(task: Task, place: Place): Node {
    let received: unknown = place.parent === undefined ? undefined : resumption(place.result);
    let key: string | number | undefined;
    for (;;) {
      const { value, done } = task.next(received as never);
      if (done) return this.#root(place.agent, place.operation + 1);
      if (!(value instanceof Forget)) return this.#node(task, place, value as Step, key);
      key = value.key;
      received = NOTHING;
    }
  }

  #node(task: Task, place: Place, step: Step, key: string | number | undefined): Node {
    if (key === undefined) return this.#add(place, step, task, historyPrint(place));
    const name = nameOfKey(place.agent, place.operation, key);
    const known = this.#merged.get(name);
    if (known !== undefined) {
      if (place.parent === undefined || known.id <= place.parent.id) this.loops = true;
      return known;
    }
    const made = this.#add(place, step, task, printOfKey(place.agent, place.operation, key), key);
    this.#merged.set(name, made);
    return made;
  }

  #add(place: Place, step: Step | undefined, task: Task | undefined, print: Lanes, key?: string | number): Node {
    const node = new Node(this.nodes.length, place, step, task, print, key);
    this.nodes.push(node);
    return node;
  }

  #root(agent: number, operation: number): Node {
    const roots = this.#roots[agent] as Map<number, Node>;
    let root = roots.get(operation);
    if (root === undefined) {
      const place: Place = { agent, operation, parent: undefined, result: undefined };
      const spec = this.agents[agent]?.operations[operation];
      root =
        spec === undefined
          ? this.#add(place, undefined, undefined, historyPrint(place))
          : this.#settle(spec.start(), place);
      roots.set(operation, root);
    }
    return root;
  }

  #replay(node: Node): Task {
    const results: unknown[] = [];
    for (let at = node; at.parent !== undefined; at = at.parent) results.push(at.result);
    const spec = this.agents[node.agent]?.operations[node.operation];
    if (spec === undefined) throw new Error('an agent that has ended has no task');
    const task = spec.start();
    skipForgets(task, undefined);
    for (let at = results.length - 1; at >= 0; at--) skipForgets(task, resumption(results[at]));
    return task;
  }
}

/** A task is never resumed with `undefined`, which a step takes for its first call. */
function resumption(result: unknown): unknown {
  return result === undefined ? NOTHING : result;
}

function skipForgets(task: Task, received: unknown): void {
  let { value, done } = task.next(received as never);
  while (!done && value instanceof Forget) ({ value, done } = task.next(NOTHING as never));
}
