import { testUnguided } from '../testing/laws.ts';
import { smmu } from './index.ts';

testUnguided(smmu, 2, 400_000);
