/** The program of threads that search in benchmarks: it builds the canonical workload, and knows nothing else. */
import { serveSearch } from '../engine/search/parallel/serve.ts';
import { asidShare, type AsidShare } from './workloads/asid-share.ts';

serveSearch((size) => ({ system: asidShare(size as AsidShare) }));
