import { address, bits, layout } from './layout.ts';

/**
 * Page request record of the PRI queue, 16 bytes (IHI 0070 §8). The permissions are those that the device asks for;
 * a stop marker has a PASID and Last, and neither Read nor Write. The text at hand has no picture of
 * the record: the positions are those that the Linux driver reads.
 */
export const PAGE_REQUEST = layout('page request', 2, {
  StreamID: bits(31, 0),
  SubstreamID: bits(51, 32),
  Priv: bits(58),
  Exec: bits(59),
  Read: bits(60),
  Write: bits(61),
  Last: bits(62),
  SSV: bits(63),
  PRGIndex: bits(72, 64),
  Address: address(127, 76),
});
