import { testUnguided } from '../testing/laws.ts';
import { asid } from './index.ts';

testUnguided(asid, 2, 400_000);
