import { smmu } from '../../../properties/smmu/index.ts';
import { judge } from '../judge.ts';

judge(smmu, { runs: 2_000 });
