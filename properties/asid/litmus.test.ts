import { testLitmus } from '../testing/laws.ts';
import { asid } from './index.ts';

testLitmus(asid, ['dfs', 'bfs']);
