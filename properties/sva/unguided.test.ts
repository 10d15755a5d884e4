import { testUnguided } from '../testing/laws.ts';
import { sva } from './index.ts';

testUnguided(sva, 5, 400_000);
