import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { TraceError } from './error.ts';
import { traceFormat, traceSchema, traceVersion, type Trace } from './format.ts';

/** Problems listed in one message. */
const issuesMax = 5;

/**
 * Reads a trace file.
 *
 * @throws TraceError saying what is wrong with the file and what to do.
 */
export function loadTrace(file: string): Trace {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new TraceError('unreadable', `${file} cannot be read: ${reason(error)}.`);
  }
  return parseTrace(text, file);
}

/** As `loadTrace`, for text that is already in memory; `name` is used in messages. */
export function parseTrace(text: string, name: string): Trace {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const cut = !text.trimEnd().endsWith('}');
    const what = cut ? 'ends too early: it looks truncated' : `is not JSON: ${reason(error)}`;
    throw new TraceError(
      'not-json',
      `${name} ${what}. Take another copy of the file, or find the failure again by its seed.`,
    );
  }
  checkHead(value, name);
  const parsed = traceSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, issuesMax).map((issue) => `  ${place(issue.path)}: ${issue.message}`);
  throw new TraceError(
    'invalid',
    `${name} is not a valid trace of version ${traceVersion}; was it edited?\n${issues.join('\n')}\n` +
      'The format is described by traces/trace.schema.json.',
  );
}

function checkHead(value: unknown, name: string): void {
  const { format, version } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (format !== traceFormat)
    throw new TraceError('not-a-trace', `${name} is not a Stalemate trace: its "format" is not "${traceFormat}".`);
  if (typeof version === 'number' && version > traceVersion)
    throw new TraceError(
      'future-version',
      `${name} has format version ${version}, this tool reads versions up to ${traceVersion}: update stalemate to replay it.`,
    );
}

function place(path: z.core.$ZodIssue['path']): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'the document';
}

/** What went wrong, in the words of the system and without its decoration. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
}
