/**
 * Shapes: labels without what a renaming changes. "CMD_TLBI_NH_VA ASID 3, 0x1000" and "CMD_TLBI_NH_ASID ASID 1" have one
 * shape, "CMD_TLBI ASID #"; so have "unmap(domain0, 0x1000)" and "unmap(domain1, 0x2000)": "unmap".
 *
 * A number is a name (a device, a page, an ASID), except for a 0 that is stored: clearing an entry is another thing than
 * writing it. What follows a comma, or the second part of a word in capitals, says how, not what.
 */

/** Kind of an operation, from its label: what stands before its arguments. */
export function operationShape(label: string): string {
  const at = label.indexOf('(');
  return numberless(at < 0 ? label : label.slice(0, at)).trim();
}

/** Shape of a step, from its label. */
export function stepShape(label: string): string {
  const head = label.slice(0, firstComma(label)).replace(/^([A-Z]+_[A-Z]+)_[A-Z_]+/, '$1');
  return head.endsWith(':= 0') ? `${numberless(head.slice(0, -1))}0` : numberless(head);
}

/** A text with every number, decimal or hexadecimal, replaced by "#". */
export function numberless(text: string): string {
  return text.replaceAll(/0x[\da-f]+|\d+/g, '#');
}

/** Position of the first comma outside of brackets, or the length. */
function firstComma(label: string): number {
  let depth = 0;
  for (let at = 0; at < label.length; at++) {
    const character = label.charAt(at);
    if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth--;
    else if (character === ',' && depth === 0) return at;
  }
  return label.length;
}
