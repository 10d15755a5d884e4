/**
 * What mutation testing leaves alone: words. A mutant that changes how a value is shown in a report, a message, or whether
 * a caller's mistake is refused, breaks no rule of translation or concurrency; goldens and tests of messages look after it.
 */
const SHOWS = /^(describe|explain|format|show|name|hex|diagnose|text|heldTranslations)/;

/** True for the name of a function that makes words. */
function makesWords(node) {
  const name = node.id?.name ?? node.key?.name;
  return typeof name === 'string' && SHOWS.test(name);
}

/** True for the formatter given to `reserve(length, name, formatter)` or `step(label, run, formatter)`. */
function isFormatter(path) {
  const call = path.parent;
  if (call?.type === 'ObjectProperty') return call.key?.name === 'format';
  if (call?.type !== 'CallExpression' || call.arguments[2] !== path.node) return false;
  const name = call.callee.property?.name ?? call.callee.name;
  return name === 'reserve' || name === 'step';
}

/** True for a guard: an `if` that does nothing but throw. */
function isGuard({ node }) {
  return node.type === 'ThrowStatement' || (node.type === 'IfStatement' && node.consequent.type === 'ThrowStatement');
}

export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'reports',
    value: {
      shouldIgnore(path) {
        if (path.isTemplateLiteral()) return 'words of a report';
        if (path.isFunction() && (makesWords(path.node) || isFormatter(path))) return 'words of a report';
        return isGuard(path) ? "a guard against a caller's mistake" : undefined;
      },
    },
  },
];
