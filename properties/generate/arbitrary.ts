import fc from 'fast-check';
import { Source, type Generator as Drawer } from './draw.ts';

/**
 * A generator as an arbitrary of fast-check: drawn at random, and shrunk by way of its choices. List elements are taken
 * out, and choices are lowered; whatever the generator makes of that is again one of its values, so what it guarantees
 * of them holds for shrunk ones too.
 */
export function arbitraryOf<T>(generator: Drawer<T>): fc.Arbitrary<T> {
  return new DrawArbitrary(generator);
}

class DrawArbitrary<T> extends fc.Arbitrary<T> {
  readonly #generator: Drawer<T>;

  constructor(generator: Drawer<T>) {
    super();
    this.#generator = generator;
  }

  generate(random: fc.Random): fc.Value<T> {
    return this.#draw(new Recorder((n, weights) => pick(random, n, weights)));
  }

  /** A value does not tell its choices. */
  canShrinkWithoutContext(_value: unknown): _value is T {
    return false;
  }

  shrink(_value: T, context: unknown): fc.Stream<fc.Value<T>> {
    return fc.stream(context instanceof Recorder ? this.#smaller(context) : [].values());
  }

  *#smaller(from: Recorder): Generator<fc.Value<T>, void, undefined> {
    for (const choices of smaller(from)) {
      let at = 0;
      const recorder = new Recorder((n, weights) => nearest(choices[at++] ?? 0, n, weights));
      const value = this.#draw(recorder);
      if (isLess(recorder.choices, from.choices)) yield value;
    }
  }

  #draw(recorder: Recorder): fc.Value<T> {
    return new fc.Value(this.#generator(recorder), recorder);
  }
}

/** An element of a list: where its choices are, and where the choice of the list's length is. */
interface Element {
  readonly length: number;
  readonly from: number;
  readonly to: number;
}

/** Keeps the choices that it passes on, and which of them belong to an element of a list. */
class Recorder extends Source {
  readonly choices: number[] = [];
  readonly elements: Element[] = [];
  readonly #answer: (n: number, weights: readonly number[] | undefined) => number;

  constructor(answer: (n: number, weights: readonly number[] | undefined) => number) {
    super();
    this.#answer = answer;
  }

  protected choose(n: number, weights?: readonly number[]): number {
    const choice = this.#answer(n, weights);
    this.choices.push(choice);
    return choice;
  }

  override list<T>(least: number, most: number, element: (index: number) => T): T[] {
    const length = this.choices.length;
    return super.list(least, most, (index) => {
      const from = this.choices.length;
      const value = element(index);
      this.elements.push({ length, from, to: this.choices.length });
      return value;
    });
  }
}

function pick(random: fc.Random, n: number, weights: readonly number[] | undefined): number {
  if (weights === undefined) return random.nextInt(0, n - 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total < 1) throw new RangeError('every option has weight 0');
  let left = random.nextInt(0, total - 1);
  for (let index = 0; ; index++) {
    left -= weights[index] as number;
    if (left < 0) return index;
  }
}

/** The choice itself, or the nearest lower one that is possible; failing that, the first possible one. */
function nearest(choice: number, n: number, weights: readonly number[] | undefined): number {
  const most = Math.min(choice, n - 1);
  if (weights === undefined) return most;
  for (let index = most; index >= 0; index--) if ((weights[index] as number) > 0) return index;
  return weights.findIndex((weight) => weight > 0);
}

/** Choices with one list element less, then with one choice lower. */
function* smaller({ choices, elements }: Recorder): Generator<number[], void, undefined> {
  for (const { length, from, to } of elements) {
    const shorter = choices.toSpliced(from, to - from);
    const before = choices[length] as number;
    if (before > 0) yield shorter.with(length, before - 1);
  }
  for (const [at, choice] of choices.entries())
    for (const lower of new Set([0, choice >> 1, choice - 1]))
      if (lower >= 0 && lower < choice) yield choices.with(at, lower);
}

/** Shorter, or as long and lower at the first difference: shrinking comes to an end. */
function isLess(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return a.length < b.length;
  const at = a.findIndex((choice, index) => choice !== b[index]);
  return at >= 0 && (a[at] as number) < (b[at] as number);
}
