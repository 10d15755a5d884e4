import {
  reachedText,
  type DmaObservation,
  type EndToEndObserved,
  type EndToEndStep,
} from '../../properties/end-to-end/index.ts';
import { paint } from './paint.ts';
import { section } from './software.ts';
import { grouped, pad, plural, reportWidth, widthOf, wrap } from './text.ts';

const labelWidthMax = 58;

/** What devices reached, step by step. Accesses that came to the same as before are left out. */
export function endToEndReport(result: EndToEndObserved, colour: boolean): string {
  const inks = paint(colour);
  const { steps, violation, idleUntil, commandsWait } = result;
  const news = new News();
  const agentWidth = Math.max(...steps.map(({ agent }) => widthOf(agent)));
  const labelWidth = Math.min(labelWidthMax, Math.max(...steps.map(({ label }) => widthOf(label))));
  const headWidth = 4 + 2 + agentWidth + 2;
  const lines = steps.flatMap(({ agent, label, dma }, at) => {
    const left = wrap(label, labelWidth);
    const right = news.of(dma).flatMap((text) => wrap(text, reportWidth - headWidth - labelWidth - 2));
    const failed = violation !== undefined && at === violation.step ? `✗ ${accessText(violation)}` : '';
    const marked = failed === '' ? right : [...right.filter((text) => text !== failed.slice(2)), failed];
    return Array.from({ length: Math.max(left.length, marked.length) }, (_, row) => {
      const head = row === 0 ? `${String(at).padStart(4)}  ${pad(agent, agentWidth)}` : '';
      const text = marked[row] ?? '';
      const shown = text === failed ? inks.bad(text) : inks.dim(text);
      return `${pad(head, headWidth)}${pad(left[row] ?? '', labelWidth)}  ${shown}`.trimEnd();
    });
  });
  const when = 'after each step that touches the hardware';
  const late = 'The SMMU leaves commands in their queue until software waits for them.';
  const how =
    idleUntil === 0
      ? `Devices write to every page by DMA, ${when}.`
      : `Devices are idle until step ${idleUntil} is done; from then on they write to every page by DMA, ${when}.`;
  return [
    ...section('End to end', result.version, inks),
    ...wrap(commandsWait ? `${how} ${late}` : how, reportWidth - 2, '').map((line) => `  ${inks.dim(line)}`),
    inks.bold(`${' '.repeat(headWidth)}${pad('software', labelWidth)}  DMA reaches`),
    ...lines,
    '',
  ].join('\n');
}

/** How much was looked at: "312 DMA writes in 12 runs of the schedule". */
export function endToEndEffort({ accesses, repetitions }: EndToEndObserved): string {
  return `${plural(accesses, 'DMA write')} in ${grouped(repetitions)} ${repetitions === 1 ? 'run' : 'runs'} of the schedule`;
}

/** "QEMU 10.0.2", from the line that it prints about itself. */
export function deviceName({ version }: EndToEndObserved): string {
  return version.replace(/^QEMU emulator version (\S+).*$/, 'QEMU $1');
}

/** Remembers where each access went, so that only changes are told. */
class News {
  readonly #seen = new Map<string, string>();

  /** One text for each device with something new; one for all its pages where they come to the same. */
  of(dma: EndToEndStep['dma']): string[] {
    const devices = [...new Set(dma.map(({ device }) => device))];
    return devices.flatMap((device) => {
      const own = dma.filter((access) => access.device === device);
      const fresh = own.filter((access) => this.#isNew(access));
      const [first] = fresh;
      if (first === undefined) return [];
      const same =
        fresh.length === own.length &&
        fresh.every((access) => reachedText(access.reached) === reachedText(first.reached));
      return same ? [`${device} → ${reachedText(first.reached)}`] : fresh.map(accessText);
    });
  }

  #isNew(access: DmaObservation): boolean {
    const key = `${access.device} ${access.iova}`;
    const text = reachedText(access.reached);
    if (this.#seen.get(key) === text) return false;
    this.#seen.set(key, text);
    return true;
  }
}

function accessText({ device, iova, reached }: DmaObservation): string {
  return `${device} 0x${iova.toString(16)} → ${reachedText(reached)}`;
}
