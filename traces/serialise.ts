import type { Trace } from './format.ts';

/** Longest line on which a nested value is kept whole. */
const lineMax = 100;

/** A trace as text: short values on one line, so that a schedule reads as one choice per line and diffs stay small. */
export function serialise(trace: Trace): string {
  return `${pretty(trace, '')}\n`;
}

function pretty(value: unknown, indent: string): string {
  const flat = JSON.stringify(value) ?? 'null';
  if (typeof value !== 'object' || value === null) return flat;
  if (indent !== '' && flat.length + indent.length <= lineMax) return flat;
  const inner = `${indent}  `;
  if (Array.isArray(value)) return `[\n${value.map((item) => inner + pretty(item, inner)).join(',\n')}\n${indent}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  const lines = fields.map(([key, field]) => `${inner}${JSON.stringify(key)}: ${pretty(field, inner)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}
