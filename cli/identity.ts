import { version } from '../traces/version.ts';

/** What a checkpoint was written for. It fits only the same. */
export interface Identity {
  readonly command: string;
  readonly version: string;
  readonly of: Readonly<Record<string, unknown>>;
}

/** What the present command is; a field that is undefined counts as null. */
export function identify(command: string, of: Readonly<Record<string, unknown>>): Identity {
  return {
    command,
    version,
    of: JSON.parse(JSON.stringify(of, (_, value: unknown) => value ?? null)) as Identity['of'],
  };
}

const WORDS: Readonly<Record<string, string>> = { software: 'another version of the sources' };

/** Why a checkpoint does not fit, as the end of a sentence; undefined: it does. */
export function misfit(written: Identity, now: Identity): string | undefined {
  if (written.command !== now.command) return `is one of stalemate ${written.command}, not of ${now.command}`;
  if (written.version !== now.version) return `was written by version ${written.version}; this is ${now.version}`;
  const fields = new Set([...Object.keys(written.of), ...Object.keys(now.of)]);
  for (const field of fields) {
    const [before, here] = [written.of[field] ?? null, now.of[field] ?? null];
    if (JSON.stringify(before) === JSON.stringify(here)) continue;
    const words = WORDS[field];
    if (words !== undefined) return `was written by ${words}`;
    return `is of another run: ${field} was ${show(before)}, not ${show(here)}`;
  }
  return undefined;
}

function show(value: unknown): string {
  if (value === null) return 'not given';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
