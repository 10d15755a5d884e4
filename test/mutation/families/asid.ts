import { asid } from '../../../properties/asid/index.ts';
import { judge } from '../judge.ts';

judge(asid, { runs: 2_000 });
