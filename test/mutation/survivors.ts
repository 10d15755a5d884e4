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
  cache: 'a cache, whose content is a function of its key: without it the same is made again',
  defined: 'what is indexed is always there: the compiler asks for the way out',
  reads: 'looks again at what has not changed, or at what is not held: it finds the same',
  numbers: 'other numbers, which in these small worlds still keep things apart',
  readOnly: 'not tested: no litmus maps read-only',
  boot: 'not tested: cacheability and the order of enabling do not show in the model; runs on QEMU need them',
  entries: 'not tested: no litmus changes an entry between these two forms',
  lenient: 'permits more, where it is not known what the architecture permits',
  kept: 'what a cell is called, how it is shown, and whether it counts as shared or buffered: only hazards with late stores tell',
  silent:
    'an event less, or a weaker one: the contract asks for less, which hazards show, and the correct kernel cannot',
  nothing: 'an operation does less, or says that it did not apply: rules of safety are kept by whoever does nothing',
  noted: 'what is counted as a witness',
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
  // The architecture model, whose files are found by their names.
  [/architecture\/pri/, /const show = /, 'words'],
  // What is interned has another number.
  [/architecture/, /readonly #\w+: .*\[\] = \[\];/, 'numbers', /^\["Stryker was here"\]$/],
  [/architecture.*(dvm|broadcast)\//, /< (SLOTS|BROADCASTS_MAX); /, 'spare', /<=/],
  // Shifts count modulo 32.
  [/architecture.*dvm\/outstanding\./, /slot \+ \(broadcast \? BROADCAST : 0\)/, 'same', / - /],
  [/architecture.*dvm\/outstanding\./, /mask === 0\) return 0/, 'reads', /^false$/],
  // Ways out that the rest of the function would come to as well.
  [
    /architecture.*dvm\/hold-state\./,
    /state <= HELD \|\||state === HELD \|\||contains\(mask, first\)|one < other/,
    'same',
  ],
  [/architecture.*broadcast\/audience\./, /#listeners\.length === 0/, 'reads', /^false$/],
  [/architecture.*broadcast\/audience\./, /broadcast === undefined \|\|/, 'same', /^false$/],
  [/architecture.*broadcast\/broadcasts\./, /completed === 0/, 'reads', /^false$/],
  [/architecture.*broadcast\/broadcasts\./, /outstanding\?\.complete/, 'defined'],
  [/architecture.*broadcast\/outstanding-broadcasts\./, /known !== undefined\) return known/, 'cache'],
  // Readers keep what they have found, whichever graph is asked.
  [/architecture.*broadcast\/present-walks\./, /reader\.node\.stage === 2/, 'cache'],
  // CPUs: of what is loaded all walks are made, so that making them again, or dooming what is not held, finds the same.
  [/architecture.*cpu\/(saturated-walks|guest-)/, /!fresh|before === (HELD|ABSENT)/, 'reads', /^false$/],
  [/architecture.*cpu\/(saturated-walks|guest-)/, /contexts === 1|return false;$|state !== before/, 'reads', /^true$/],
  [/architecture.*cpu\/(saturated-walks|guest-)/, /state === HELD/, 'reads', /^false$/],
  [/architecture.*cpu\/(saturated-walks|guest-)/, /state\((node\.|leaf\.)?cell\) !== ABSENT/, 'reads', /^true$/],
  [/architecture.*cpu\/(saturated-walks|guest-)/, /tableLevel === level/, 'reads', /^true$|!==/],
  [
    /architecture.*cpu\/(saturated-walks|guest-)/,
    /(tarts|entriesAt)\.get\(\w+\)\?\.|processes\?\.|\]\?\.|parts === undefined/,
    'defined',
  ],
  [/architecture.*cpu\/guest-processes/, /known\.includes\(start\)/, 'reads', /^true$/],
  // What is combined goes with what it was made of.
  [/architecture.*cpu\/guest-processes/, /one !== ABSENT/, 'same', /^true$/],
  [/architecture.*cpu\/queries/, /leaf\.vmid === vmid/, 'same'],
  [/architecture.*cpu\/(queries|cpu-tlbs?)\./, /processes\?\.|guest === undefined|\]\?\.leaves/, 'defined'],
  [/architecture.*cpu\/(cpu-tlb|guest-tlb)\./, /(starts|start|entries) === undefined/, 'cache', /^true$/],
  [/architecture.*cpu\/cpu-tlbs\./, /new BaseRegister/, 'words', /^\[\]$/],
  [/architecture.*cpu\/cpu-tlbs\./, /region === 1|substream: -1/, 'numbers', /^true$|^\+1$/],
  [/architecture.*cpu\/maintenance\./, /2 \*\* 17/, 'numbers'],
  [/architecture.*cpu\/inheritance\./, /(parent|one|other) === HELD/, 'same', /^false$/],
  [/architecture.*cpu\/guest-tlb\./, /stage 1 off/, 'same', /^false$/],
  // A page that does not matter has no entries, and is in the range of none.
  [/architecture.*cpu\/guest-tlb\./, /const place = address|\.\.\.place, space/, 'same'],
  [
    /architecture.*cpu\/guest-processes\./,
    /node === ABSENT|parent === ABSENT/,
    'same',
    /^false$|&& parent === ABSENT$/,
  ],
  // A slot without ATS holds nothing; commands of other kinds name no pages; before the first outstanding command there is no other.
  [/architecture.*ats\/atc\./, /entries \?\? \[\]/, 'same', /Stryker|>= 1$/],
  [/architecture.*ats\/atc\./, /command\.kind === 'atc' && coversAtc/, 'same', /^true$/],
  [/architecture.*ats\/atc\./, /(invalidation|sync) >= first/, 'same', /> first$/],
  // No outcome is left open by the model today.
  [/architecture.*ats\/ats-slots\./, /UNKNOWN_ADDRESS|'unpredictable'/, 'cases'],
  [/architecture.*ats\/ats-slots\./, /second === undefined|config !== undefined/, 'defined'],
  [/architecture.*ats\/ats-slots\./, /atc\.serves\(slot\)\)\)|get\(cell\) === set|brought\.every/, 'reads'],
  [/architecture.*ats\/ats-slots\./, /\[\.\.\.all\]\.sort/, 'numbers'],
  // What a cell means that follows from other cells tells no two states apart.
  [/architecture.*ats\/ats-slots\./, /store\.mean\(|used\.length === 0/, 'same'],
  [
    /architecture.*ats\/ats-config\./,
    /content\?\.entry|entry === undefined|stage2 === undefined|second\.kind/,
    'defined',
  ],
  [/architecture.*ats\/ats-config\./, /entry\.kind !== 'bypass' &&/, 'same', /^true$/],
  [/architecture.*ats\/ats\./, /context\.streamId === streamId/, 'reads', /^true$/],
  [
    /architecture/,
    /./,
    'defined',
    /^\["Stryker was here"\]$|^[\w.]+(\[[\w.]+\])?\.(slots|leaves|readers|readerOf|firstStage)$/,
  ],
  [
    /architecture.*held-queries\./,
    /command\.kind !== 'config'|outcome\.kind (=|!)== 'fault'|own\?\.leaves \?\? \[\]/,
    'same',
  ],
  [
    /architecture.*(outcome-sets|pending|config-cache|config-lookup|walk-graph)\./,
    /(id|content|config|outcome|result|reader|lineage) === undefined\) \{$|lows\[at\]|at < lows\.length|includes\(reader\)|candidate\.pa === pa/,
    'cache',
  ],
  [/architecture.*(lookup-config|outcome|outcome-sets|tag)\./, /const key = /, 'numbers'],
  [/architecture.*lookup-config\./, /configs\.length > 1/, 'same', /^true$|>= 1/],
  [
    /architecture.*smmuv3\./,
    /reread\(word\)|!== wasEnabled|!wasEnabled|sequence === this\.#pending\.first|before === after|context\.streamId === streamId|command\.kind|touched/i,
    'reads',
  ],
  [/architecture.*config-cache\./, /state === 0|nextState !== 0|doomed > before|gone/, 'reads'],
  [/architecture.*tlb\./, /contexts === 1|state !== 0|stateOf\(node\) !== 0/, 'reads'],
  // A command of another kind has no fields that would make it cover anything; a fresh thing inherits freshness.
  [/architecture.*(tlb|config-cache)\./, /command\.kind ===|from === undefined|state === 1/, 'same'],
  [/architecture.*walk-graph\./, /state > 1|other === page/, 'same'],
  [/architecture.*stream-table\./, /l1Tables\.length === 0/, 'same'],
  // Fields of no width, or with a scale of 2^0, and shifts, which count modulo 32.
  [/architecture.*layout\./, /lsb \+ width <= 32|lsb >= 32|field\.scale === 0|lowWidth/, 'same'],
  // Keys differ, what is compared next differs where kinds do, and states are not negative.
  [/architecture.*(outcome|event-record|holds)\./, /outcomeKey\(first\)|second\.kind ===|now !== 0 &&/, 'same'],
  [/architecture.*config-lookup\./, /entry\.kind !== 'stage1'/, 'same'],
  [/architecture.*command-queue\./, /known\.lanes/, 'cache'],
  [/architecture.*registers\./, /lower !== undefined/, 'defined', /^true$/],
  [/architecture.*walk-graph\./, /fromRun/, 'words'],
  [/architecture.*universe\./, /canonical >= ADDRESS_PAGES/, 'same'],
  [/architecture.*stream-entry\./, /span > 11/, 'same'],
  [/architecture.*context-descriptor\./, /granule === undefined/, 'same'],
  [/architecture.*descriptor-step\./, /contiguousEntries/, 'same'],
  [/architecture.*invalidation\./, /CFGI_RANGE_ALL/, 'same'],
  [/architecture.*config-lookup\./, /entry\.split/, 'same'],
  [/architecture.*outcome-sets\./, /=== undefined\) return|leafCount > 1|other < at|at > 0/, 'same'],
  [/architecture.*event-queue\./, /words\(|toString\(16\)/, 'words'],
  // Indexes that are inconsistent make the count negative, too; after an abort only stalls are kept, which are never missed.
  [/architecture.*event-queue\./, /used < 0|#aborted\(\)\) for/, 'same'],
  [/architecture.*event-queue\./, /#pending\.filter\(\(\{ synchronised, stall \}\) => stall && /, 'lenient'],
  // An event is asked for once, and is not paired before.
  [/architecture.*events\/matching\./, /recordOf\(event\) !== -1/, 'same', /^false$/],
  [/architecture.*combined-entries\./, /known\.through === through|leaf === undefined/, 'cache'],
  // What covers a part of stage 1 covers what was made of it; two fresh things make a fresh one.
  [/architecture.*nested-walks\./, /tate === 0|parts === undefined|state\(first\.cell\) === 0/, 'reads', /^false$/],
  [/architecture.*nested-walks\./, /=== 1\) return 1|command\.kind === 'tlb'/, 'same'],
  [/architecture.*stage-two\./, /#spaces\.size/, 'reads'],
  [/architecture.*stage-two\./, /slots\.includes|streams\.has/, 'more', /^true$/],
  [/architecture.*ats\/response\./, /outcome\.stage2 !== undefined/, 'defined', /^true$/],
  [
    /architecture.*translated-access\./,
    /end\.kind === 'translation'|result\.kind !== 'fault'/,
    'same',
    /^(true|false)$/,
  ],
  [/kernel\/nested\/invalidation/, /range\.size === 0|ats\.includes|commands\.length > 0|inv\.type !== clear/, 'more'],
  [/kernel\/nested\/invalidation/, /inv\.type === INV_TYPE\.S2_VMID_S1_CLEAR/, 'cases', /^true$/],
  [/kernel\/nested\/invalidation/, /issue commands without end/, 'untold'],
  [/kernel\/nested\/invs/, /merged\.splice/, 'same'],
  [/kernel\/nested\/invs/, /means\(|#sets\[number\]/, 'untold'],
  // Pages of no value are left out twice.
  [/contract\/culprit/, /value > NOTHING|\(register, value\): boolean|Array\.from|next < 0/, 'same'],
  [/contract\/page-requests/, /data: \{|monitor: 'page-requests'/, 'words', /^\{\}$/],
  [/contract\/page-requests/, /space < 0 \? 'nothing'/, 'words'],
  // Regions of the store do not begin at 0; what nobody has handled, or asked for, is no part of any group.
  [/contract\/page-requests/, /#(bound|closed|processes) (>=|<) 0|space >= 0 &&/, 'same', /[<>]=? 0$|^true$|^false$/],
  [
    /contract\/page-requests/,
    /has\(event\.id, LAST\)|event\.id, DONE|id >= last|end > id|=== HANDLED\)$|UNSENT|last \? this|'pri\.attach\.end'|const ids: |\(last, REPEATED\)/,
    'same',
  ],
  // Nobody looks at what is left, which each event tells anew.
  [/contract\/pasid-sets/, /event\.available \+ 1/, 'same', / - 1$/],
  [/contract\/pasid-listeners/, /NOTICES\.indexOf/, 'numbers', / - NOTICES/],
  [/contract\/pasid/, /(device|owner) < this\.#world\.(devices|owners)/, 'spare', /<=/],
  [/contract\/invalidation/, /forbidden: readonly Loss|owner === undefined/, 'same'],
  [/contract\/tags/, /caches\?\.\[cache\] \?\? ''|vmidInUse\?\./, 'defined'],
  [/contract\/tags/, /owners === 0/, 'reads', /^false$/],
  [/contract\/tags/, /owner < this\.#world\.spaces/, 'spare', /<=/],
  // KVM, roll-overs, broadcasts, nested translation: what is common to them.
  // Worlds in which a process unmaps a region have tables of two levels.
  [/kernel\/arm64\/pgtable/, /freeTables|pages\.length|this\.levels/, 'untold'],
  [/kernel\/arm64\/pgtable/, /if \((mapped|free)\)/, 'nothing', /^false$|^\{\}$/],
  [/kernel\/vbtm\/machine-operations/, /^\(\) => \{/, 'nothing'],
  [
    /kernel\/(kvm|arm64|btm|vbtm|nested|generations)\//,
    /new Cell\(|each\('|cells\('|slot\.cell|internal|buffered|lifetime|const format|const show|const name|const lane|showBits|attachedText|const rest|label\.replace|label\.trimEnd|const extent|'NULL'|\.name === /,
    'kept',
  ],
  [
    /kernel\/(kvm|arm64|btm|vbtm|nested|generations)\//,
    /observer\.noted|fast path met|\(vmidOf\(kept\) !== 0\)|kept !== 0 && cpu === 0/,
    'noted',
  ],
  [/kernel\/(kvm|arm64|btm|vbtm|nested|generations)\//, /emit\(|commands > 0/, 'silent'],
  [/kernel\/(kvm|arm64)\//, /traceOf|lock\.ready\(\)|flushIsPending|flushPending\.peek|peek\(0\)/, 'silent'],
  [/kernel\/(kvm|arm64)\//, /free === 0\)|machine\.fail\(/, 'cases'],
  [
    /kernel\/(kvm|arm64|generations)\//,
    /fastPath|active === 0 \|\||before !== 0;|before === expected|pending|tlbi\(|local_flush|layout\.cnp|flush_tlb|flush_tlb_range|hasBit\(|map\.has\(|number < size|freeTables|pages\.length|va < end|cpu_set_reserved|plan & 1|if \(mapped\)|if \(free\)|!last|table !== 0\)|levels/,
    'more',
  ],
  [/kernel\/kvm\//, /blockWalks|entered\(cpu\)|exitRequested|again = /, 'same'],
  [/kernel\/arm64\//, /layout\.taken|taken \* |asid2|cursor|ENTRY_BYTES|ASID_MAX|this\.kpti|kpti = false/, 'numbers'],
  [
    /kernel\/arm64\//,
    /notifier|mayMap|isMapped|hasVma|const mapped|pmd_|tableOf|pinned|context_put|flushPending|some\(\(cell/,
    'untold',
  ],
  [/kernel\/arm64\/pgtable/, /\*(unmap|map|unmap_region|ptep_clear_flush_notify)\(|set_pte|if \(free\) \{/, 'nothing'],
  [/kernel\/btm\/ats/, /./, 'more'],
  [/kernel\/btm\/(driver|kernel)/, /features|check_translated|get pgd/, 'same'],
  [/kernel\/btm\/mm/, /./, 'same'],
  [/kernel\/btm\/sva/, /takeSharedCd|refcount_inc|own/, 'untold'],
  [/kernel\/(btm|vbtm)\//, /undefined|\?\./, 'defined'],
  [
    /kernel\/(btm|vbtm)\/(operations|machine-operations|machines)/,
    /return (false|true);|if \(!?ran\)|#isKnown|mm_users|process \+ 1|features\.sva|REFUSED|isInGuest|loaded\(cpu\)|\*put|running\(machine|#loaded|before|active\.value|handle === 0|=== 0/,
    'claimed',
  ],
  [/kernel\/(btm|vbtm)\//, /arm_smmu_share_asid|features\.sva/, 'untold'],
  [/kernel\/vbtm\/guest/, /invalidateAll|hasBtm|range\.size|const va/, 'more'],
  [/kernel\/vbtm\//, /vmid(Min|Max|Base|Of)|PRIVATE_VMIDS|machineOf|const (cpus|all)|machine < 0/, 'numbers'],
  [
    /kernel\/nested\/(attach|ste)/,
    /clearOldCd|old\.kind|spaceCd|encode\(STE|base\.target|const guest|case |default|fields\.V|undefined/,
    'same',
  ],
  [
    /kernel\/nested\/(guest|domains|kernel)/,
    /freePage|releasePage|#used\.value|freeTablesBelow|allocPgd|stage === STAGE|const (kind|tag)|tag !== 0|kind === |stores\(|asids\.store/,
    'untold',
  ],
  [/kernel\/nested\/stage2-pgtable/, /level|entries|above|concatenated|granule/, 'numbers'],
  [/kernel\/nested\/operations/, /return (false|true|0|-1);|before >= 0/, 'claimed'],
  [/kernel\/nested\//, /./, 'untold'],
  // Other designs of reassignment; the tests of designs judge them, random programs of the family do not draw them.
  [/kernel\/(btm\/)?reassign/, /./, 'untold'],
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
