/** A device may still get where a promise says that it cannot; which promise it is depends on who uses the page next. */
export const STALE = [
  { monitor: 'translation', rule: 'stale-translation' },
  { monitor: 'translation', rule: 'unknown-translation' },
  { monitor: 'translation', rule: 'wrong-address-space' },
  { monitor: 'translation', rule: 'translated-while-blocked' },
  { monitor: 'translation', rule: 'translated-while-bypass' },
  { monitor: 'translation', rule: 'spurious-fault' },
  { monitor: 'translation', rule: 'tlb-conflict' },
  { monitor: 'tables', rule: 'table-free-in-use' },
] as const;

/** A number went back while something still carries it. */
export const TAG_IN_USE = [{ monitor: 'tags', rule: 'tag-free-in-use' }, ...STALE] as const;

/** A device translates by something that nobody attached it to. */
export const WRONG_CONFIGURATION = [
  { monitor: 'translation', rule: 'untranslated-while-attached' },
  { monitor: 'translation', rule: 'wrong-address-space' },
  { monitor: 'translation', rule: 'mixed-configuration' },
  { monitor: 'translation', rule: 'untranslated-while-blocked' },
  { monitor: 'translation', rule: 'unknown-translation' },
  { monitor: 'translation', rule: 'translated-while-blocked' },
  { monitor: 'translation', rule: 'spurious-abort' },
  { monitor: 'translation', rule: 'spurious-fault' },
  { monitor: 'translation', rule: 'unpredictable' },
  { monitor: 'translation', rule: 'refused-while-hitless' },
  { monitor: 'translation', rule: 'stale-translation' },
] as const;
