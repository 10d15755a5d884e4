import { COMMAND_CFGI, COMMAND_CFGI_STE_RANGE, OPCODE, read } from '../../../model/architecture/arm/layout/index.ts';

/** A structure, as far as configuration invalidations tell structures apart. */
export interface Covered {
  readonly kind: 'STE' | 'CD' | 'L1CD';
  readonly streamId: number;
  /** For a CD: its substream. For an L1CD: any of its substreams will do. */
  readonly substream: number;
}

/** Whether a command, given as lanes, drops a structure from the configuration caches (IHI 0070 §4.3). */
export function drops(lanes: readonly number[], { kind, streamId, substream }: Covered): boolean {
  const f = COMMAND_CFGI.fields;
  const first = read(f.StreamID, lanes);
  switch (read(f.Opcode, lanes)) {
    case OPCODE.CFGI_STE:
    case OPCODE.CFGI_CD_ALL:
      return first === streamId && (kind !== 'STE' || read(f.Opcode, lanes) === OPCODE.CFGI_STE);
    case OPCODE.CFGI_STE_RANGE: {
      const size = 2 ** (read(COMMAND_CFGI_STE_RANGE.fields.Range, lanes) + 1);
      return Math.floor(first / size) === Math.floor(streamId / size);
    }
    case OPCODE.CFGI_CD:
      if (first !== streamId || kind === 'STE') return false;
      return kind === 'CD' ? read(f.SubstreamID, lanes) === substream : read(f.Leaf, lanes) === 0;
    default:
      return false;
  }
}
