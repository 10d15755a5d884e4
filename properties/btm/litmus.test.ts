import { testLitmus } from '../testing/laws.ts';
import { btm } from './index.ts';

testLitmus(btm);
