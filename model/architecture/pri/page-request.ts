/** A page request message as it stands in the queue of the IOMMU (PCIe ATS §10.4.1; IHI 0070 §8). */
export interface PageRequest {
  /** Index of the function that sent it. */
  readonly device: number;
  /** 1 … 7. */
  readonly pasid: number;
  /** Page request group index, 0 … 7. */
  readonly group: number;
  /** The last request of its group: the one that is answered. */
  readonly last: boolean;
  /** A Stop Marker: no request, and nothing answers it. */
  readonly stop: boolean;
  /** Index of the page. */
  readonly page: number;
  /** Number of the message, for checks; neither hardware nor software knows it. 0 for a Stop Marker. */
  readonly id: number;
}

const [DEVICE, PASID, GROUP, PAGE, ID] = [2, 3, 3, 3, 5].map((bits) => 1 << bits) as [
  number,
  number,
  number,
  number,
  number,
];
const FLAG = 2;

/** A message as a number: what a cell holds and a step returns. */
export function codeOf({ device, pasid, group, last, stop, page, id }: PageRequest): number {
  let code = id;
  code = code * PAGE + page;
  code = code * FLAG + (stop ? 1 : 0);
  code = code * FLAG + (last ? 1 : 0);
  code = code * GROUP + group;
  code = code * PASID + pasid;
  return code * DEVICE + device;
}

/** The message of a number. */
export function requestOf(code: number): PageRequest {
  let rest = code;
  const take = (size: number): number => {
    const value = rest % size;
    rest = Math.floor(rest / size);
    return value;
  };
  const device = take(DEVICE);
  const pasid = take(PASID);
  const group = take(GROUP);
  const last = take(FLAG) === 1;
  const stop = take(FLAG) === 1;
  const page = take(PAGE);
  return { device, pasid, group, last, stop, page, id: take(ID) };
}
