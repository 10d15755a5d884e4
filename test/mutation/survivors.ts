/** A mutant that no test killed. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  /** The line that was changed, and what part of it became. */
  readonly code: string;
  readonly change: string;
}

const REASONS = {
  words: 'words or facts of a report: the verdict does not depend on them',
  which: 'which of several true explanations a message gives',
  same: 'equivalent: nothing that can happen tells the two apart',
  spare: 'looks at one thing more, which is not there',
  cases: 'unreachable: the cases before it are all there are',
  claimed: 'a way out for callers that operations keep away: they claim pages and domains before they touch them',
  more: 'does more than is needed (an invalidation, a claim, an event once again), which is safe',
  numbers: 'other numbers, which in these small worlds still keep things apart',
  readOnly: 'not tested: no litmus maps read-only',
  boot: 'not tested: cacheability and the order of enabling do not show in the model; runs on QEMU need them',
  entries: 'not tested: no litmus changes an entry between these two forms',
  untold: 'not tested: no litmus or test of the kernel tells; random programs, which are not run for mutants, may',
} as const;

type Rule = readonly [file: RegExp, code: RegExp, reason: keyof typeof REASONS, change?: RegExp];

/** Why mutants survive, the first that fits. A mutant without a reason makes `npm run mutation` fail. */
const RULES: readonly Rule[] = [
  [/./, /^default:|^case 'unpredictable'/, 'cases'],
  [/./, /broken\(|\.fail\(\{|#broken/, 'words', /^\{\}$/],
  [/diagnose/, /./, 'which'],
  [/cmdq|objects|format/, /./, 'words'],
  [
    /./,
    /internal|format|formatTags|entryText|'nothing'|const what|const extent|without end|function extent|hex\(size\)/,
    'words',
  ],
  [/asid-xa/, /./, 'same'],
  [/boot/, /./, 'boot'],
  [/config-entry/, /for \(let|changed \|= bit|const after/, 'same'],
  [/config-entry/, /./, 'entries'],
  [
    /config-writer/,
    /begin === undefined|kind === 'invalid'|entryValid|CD\.fields\.V|for \(let|entry === undefined/,
    'same',
  ],
  [/config-writer/, /breaking/, 'entries'],
  [/./, /READ_ONLY|readOnly/, 'readOnly'],
  [/./, /for \(let .*(<|<=) .*(length|count|#stride|blockBytes|entriesOf|spaces)/, 'spare', /<=/],
  [/ownership/, /./, 'untold'],
  [
    /kernel\/(kernel|mm|operations|io-pgtable|tlb)/,
    /2 \*\* \(64|spaceslot|spareSlot|config\.domains|blockBytes|8 \* index|Math\.log2/i,
    'numbers',
  ],
  [
    /./,
    /devices !== 0|unused !== 0|tags !== 0|gather !== undefined|invs\.value !== 0|if \(split\)|found !== 'none'|before > 1/,
    'more',
  ],
  [/./, /emit\(/, 'more', /^(true|iova > 0)$/],
  [
    /kernel\/io-pgtable/,
    /isLeaf|table < 0|next < 0|entry === 0|_LEVEL\)|buffers === undefined|clear_pte|install_table|unmap\.end/,
    'claimed',
  ],
  [
    /kernel\/(mm|dma-iommu|fail-nth|driver|sva)/,
    /< 0\)|=== 0\) return|gather === undefined|BUSY|current < 0/,
    'claimed',
  ],
  [/kernel\/operations/, /found <= 0|handle <= 0|dmaDomain|#isAlive|place\.value|pgd === 0/, 'claimed'],
  [/kernel\/(operations|driver|sva|dma-iommu)/, /./, 'untold'],
  [/contract\/register/, /life > 1|flush > 1|> most|own >= 0|slot < 0|liveAt\(/, 'same'],
  [/contract\/register/, /slot <= VALUES_MAX|at <= last/, 'spare'],
  [/contract\/(contract|slot-set|world|translation|translation-state)/, /./, 'untold'],
];

/** The reason why a mutant survives, or undefined: nobody has looked at it. */
export function reasonFor({ file, code, change }: Mutant): string | undefined {
  const rule = RULES.find(
    ([inFile, inCode, , to]) => inFile.test(file) && inCode.test(code) && (to === undefined || to.test(change)),
  );
  return rule === undefined ? undefined : REASONS[rule[2]];
}
