import type { Kernel } from '../../impl/kernel/index.ts';
import type { AsidOperation } from './operations.ts';

/** What a report says beside an operation: how things stand with what it names, in the kernel's present state. */
export function noteOn(kernel: Kernel, operation: AsidOperation): string {
  if ('domain' in operation) return domainNote(kernel, operation.domain);
  return operation.op === 'bind' ? processNote(kernel, operation.process) : '';
}

/** "domain0 has ASID 1, for dev0" */
function domainNote(kernel: Kernel, place: number): string {
  const domain = domainAt(kernel, place);
  if (domain === undefined) return `there is no domain${place} at first`;
  const devices = kernel.mastersOf(domain.devices.value).map(({ name }) => name);
  return `domain${place} has ASID ${domain.asid.value}, for ${devices.length === 0 ? 'no device' : devices.join(' and ')}`;
}

/** "mm0 has ASID 1, which domain0 uses": then bind must give the domain another one. */
function processNote(kernel: Kernel, process: number): string {
  const handle = kernel.mms.live().find((live) => kernel.mms.at(live).index === process);
  if (handle === undefined) return '';
  const asid = kernel.mms.at(handle).asid.value;
  const user = kernel.domainSlots.findIndex((_, place) => domainAt(kernel, place)?.asid.value === asid);
  return `mm${process} has ASID ${asid}${user < 0 ? '' : `, which domain${user} uses`}`;
}

function domainAt(kernel: Kernel, place: number) {
  const handle = kernel.domainSlots[place]?.value ?? 0;
  return handle > 0 ? kernel.domains.at(handle) : undefined;
}
