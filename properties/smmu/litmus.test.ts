import { testLitmus } from '../testing/laws.ts';
import { smmu } from './index.ts';

testLitmus(smmu, ['dfs', 'bfs']);
