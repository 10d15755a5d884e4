import { btm } from '../../../properties/btm/index.ts';
import { judge } from '../judge.ts';

judge(btm, { runs: 1_200, unreached: ['no VMID left to pin', 'op put', 'op guestUnmapTable'] });
