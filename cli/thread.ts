/**
 * The program of the command's threads, each of which serves what it was started for. It knows the families and nothing else of
 * the command: what the command is made of takes longer to load than most searches take.
 */
import { serveSearch } from '../engine/search/parallel/serve.ts';
import { families } from '../properties/index.ts';
import { serveBackground } from './background.ts';
import { serveCampaigns } from './campaigns.ts';
import { serveAllocators } from './exploration/allocator-rows.ts';
import { buildFrom } from './searchers.ts';

serveBackground(families);
serveSearch(buildFrom(families));
serveCampaigns(families);
serveAllocators();
