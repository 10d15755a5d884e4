import { vmid } from '../../../properties/vmid/index.ts';
import { judge } from '../judge.ts';

judge(vmid, { runs: 2_000 });
