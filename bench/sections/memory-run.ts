import { search } from '../../engine/search/search.ts';
import { processorTime } from '../measure.ts';
import { asidShare } from '../workloads/asid-share.ts';
import { LARGEST, MODES } from './memory.ts';

/** One search of the largest size in a process of its own: `node bin/run.js bench/sections/memory-run.ts MODE`. */
const visited = process.argv[2] as keyof typeof MODES;
const from = processorTime();
const { states, transitions, omissions } = search(asidShare(LARGEST), { order: 'dfs', visited, ...MODES[visited] });
const ms = processorTime() - from;
const peakMb = process.resourceUsage().maxRSS / 1024;
process.stdout.write(`${JSON.stringify({ states, transitions, ms, peakMb, missed: omissions?.probability ?? 0 })}\n`);
