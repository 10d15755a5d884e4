import { sva } from '../../../properties/sva/index.ts';
import { judge } from '../judge.ts';

judge(sva, { runs: 1_200, unreached: ['op idle'] });
