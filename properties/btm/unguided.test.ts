import { testUnguided } from '../testing/laws.ts';
import { btm } from './index.ts';

testUnguided(btm, 2, 200_000);
