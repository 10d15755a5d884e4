/**
 * What a generator draws from. A generator is an ordinary function `(draw) => value` that is determined by the choices it
 * gets; so one function is a random generator, an exhaustive one, and its own shrinker, depending on who answers. (Choice
 * sequences: MacIver and Donaldson, "Test-case reduction via test-case generation: insights from the Hypothesis reducer",
 * ECOOP 2020. Bounded exhaustion: Boyapati, Khurshid and Marinov, "Korat", ISSTA 2002; Runciman, Naylor and Lindblad,
 * "SmallCheck", Haskell 2008.)
 */
export interface Draw {
  /** An integer from 0 to n - 1, each as likely. @throws RangeError if n is less than 1. */
  below(n: number): number;
  /** One of several, by weight. Random drawing never takes what has weight 0; an exhaustive one does. */
  weighted<T>(options: readonly Weighted<T>[]): T;
  /** `least` to `most` elements, each number of them as likely. A shrinker takes elements out. */
  list<T>(least: number, most: number, element: (index: number) => T): T[];
  /**
   * Says that whatever is drawn from here on is also drawn otherwise, or equals it in every respect that matters: random
   * drawing goes on, an exhaustive one leaves out all that begins with these choices.
   */
  duplicate(): void;
}

/** An option and how likely it is, as a whole number, 0 or more. */
export type Weighted<T> = readonly [weight: number, option: T];

/** A function of the choices that it draws, and of nothing else. */
export type Generator<T> = (draw: Draw) => T;

/** Everything that can be drawn, from one kind of choice: an integer below `n`. */
export abstract class Source implements Draw {
  /** @param weights how likely each integer is; default: all the same. Not all 0. */
  protected abstract choose(n: number, weights?: readonly number[]): number;

  below(n: number): number {
    if (n < 1) throw new RangeError('there is nothing to choose from');
    return this.choose(n);
  }

  weighted<T>(options: readonly Weighted<T>[]): T {
    if (options.length < 1) throw new RangeError('there is nothing to choose from');
    const index = this.choose(
      options.length,
      options.map(([weight]) => weight),
    );
    return (options[index] as Weighted<T>)[1];
  }

  list<T>(least: number, most: number, element: (index: number) => T): T[] {
    const length = least + this.below(most - least + 1);
    return Array.from({ length }, (_, index) => element(index));
  }

  duplicate(): void {}
}
