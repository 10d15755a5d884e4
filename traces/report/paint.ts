import pico from 'picocolors';

/** Colours of a report; with colour off every function returns its text as it is. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly good: (text: string) => string;
  readonly switched: (text: string) => string;
}

/** @param colour true only where the reader is a terminal that shows colours. */
export function paint(colour: boolean): Paint {
  const colours = pico.createColors(colour);
  return {
    bold: colours.bold,
    dim: colours.dim,
    bad: (text) => colours.bold(colours.red(text)),
    good: colours.green,
    switched: colours.yellow,
  };
}
