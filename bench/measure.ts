/** What a contender did per second of processor time. */
export interface Rate {
  readonly name: string;
  /** Units of work per second, in the best round: other load on the machine only ever slows a round down. */
  readonly best: number;
  readonly median: number;
  /** Milliseconds for each event that the contender counted, over all rounds. */
  readonly msPerEvent: number;
}

/** Something to measure: makes `amount` pieces of work, and says how many units and events that was. */
export interface Measured {
  readonly name: string;
  readonly run: (amount: number) => Promise<{ readonly units: number; readonly events: number }>;
}

/**
 * Processor time that this process has used, in milliseconds: all its threads, so the garbage collector and the compiler
 * count too. Wall time would measure what else the machine does.
 */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Measures contenders alternately, so that all share the machine's moods.
 *
 * @param seconds length of each contender's turn.
 */
export async function alternate(
  contenders: readonly Measured[],
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Rate[]> {
  const amounts: number[] = [];
  for (const contender of contenders) amounts.push(await amountFor(contender, seconds));
  const turns = contenders.map(() => [] as { rate: number; ms: number; events: number }[]);
  for (let round = 0; round < rounds; round++)
    for (const [index, { run }] of contenders.entries()) {
      const from = processorTime();
      const { units, events } = await run(amounts[index] as number);
      const ms = processorTime() - from;
      turns[index]?.push({ rate: (units * 1000) / ms, ms, events });
    }
  return contenders.map(({ name }, index) => {
    const list = turns[index] as { rate: number; ms: number; events: number }[];
    const rates = list.map(({ rate }) => rate).toSorted((a, b) => a - b);
    const total = list.reduce((sum, { ms, events }) => ({ ms: sum.ms + ms, events: sum.events + events }), {
      ms: 0,
      events: 0,
    });
    return {
      name,
      best: rates.at(-1) as number,
      median: rates[rates.length >> 1] as number,
      msPerEvent: total.ms / total.events,
    };
  });
}

/** The amount that takes about `seconds`; finding it warms the contender up. */
async function amountFor({ run }: Measured, seconds: number): Promise<number> {
  for (let amount = 1; ; amount *= 2) {
    const from = processorTime();
    await run(amount);
    const took = (processorTime() - from) / 1000;
    if (took > seconds / 2) return Math.max(1, Math.round((amount * seconds) / took));
  }
}

/** A rate for a table: "24.1 M/s". */
export function showRate(rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} M/s`;
  return rate >= 1e3 ? `${(rate / 1e3).toFixed(0)} k/s` : `${rate.toFixed(1)} /s`;
}

/** Lines of a table with columns of equal width, the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number);
  return rows.map((row) => `  ${row.map(pad).join('   ').trimEnd()}`).join('\n');
}
