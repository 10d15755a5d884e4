/** Plain text in columns. Widths count characters; colour is added after padding, so it does not count. */

/** Width of every report, in characters. */
export const reportWidth = 120;

/** Number of characters that a text takes on a terminal. */
export function widthOf(text: string): number {
  return [...text].length;
}

/** Fills a text with blanks on the right. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** Breaks a text into lines of at most `width`, between words; longer words are cut. Further lines are indented by two. */
export function wrap(text: string, width: number, indent = '  '): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (widthOf(joined) <= width) {
      line = joined;
      continue;
    }
    if (line.trim() !== '') lines.push(line);
    line = lines.length === 0 ? word : indent + word;
    while (widthOf(line) > width) {
      lines.push([...line].slice(0, width).join(''));
      line = indent + [...line].slice(width).join('');
    }
  }
  if (line.trim() !== '' || lines.length === 0) lines.push(line);
  return lines;
}

/** One text at the left, one at the right of a line of `width`; on two lines if they do not fit. */
export function ends(left: string, right: string, width: number): string[] {
  if (right === '') return [left];
  const gap = width - widthOf(left) - widthOf(right);
  if (gap >= 2) return [left + ' '.repeat(gap) + right];
  return [left, ' '.repeat(Math.max(0, width - widthOf(right))) + right];
}

/** "1 step", "2 steps", "2,000 steps". */
export function plural(count: number, noun: string): string {
  const many = noun.endsWith('ch') ? `${noun}es` : `${noun}s`;
  return `${grouped(count)} ${count === 1 ? noun : many}`;
}

/** A number with commas between the thousands. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
