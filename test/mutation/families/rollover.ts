import { rollover } from '../../../properties/rollover/index.ts';
import { judge } from '../judge.ts';

judge(rollover, { runs: 2_000 });
