import { fuzz, type Found, type StrategyName } from '../../properties/campaign.ts';
import type { Family, Hazard } from '../../properties/family.ts';
import { grouped, pad, widthOf } from '../../traces/report/text.ts';
import { paint } from '../../traces/report/paint.ts';
import { checkHazard, findFamily, type Context } from '../context.ts';
import { exitCode, type ExitCode } from '../exit.ts';
import { interruptible, type Interrupt } from '../interrupt.ts';
import { progressText } from '../summary.ts';

/** Options of `stalemate hazards`. */
export interface HazardsCommand {
  readonly family: string | undefined;
  readonly hazard: string | undefined;
  /** Seeds 1 to this. */
  readonly seeds: number;
  /** Budget of one search, in seconds. */
  readonly seconds: number;
  readonly strategy: StrategyName;
}

interface Kill {
  readonly seed: number;
  readonly found: Found | undefined;
}

/** Which known mistakes are found, in how many seeds, and how fast: what the harness is worth. */
export async function hazardsCommand(command: HazardsCommand, context: Context): Promise<ExitCode> {
  const { terminal } = context;
  const families = command.family === undefined ? context.families : [findFamily(context.families, command.family)];
  for (const family of families) checkHazard(family, command.hazard);
  const width = Math.max(6, ...families.flatMap(({ hazards }) => hazards.map(({ id }) => widthOf(id)))) + 2;
  return interruptible(terminal, async (interrupt) => {
    let missed = 0;
    for (const family of families) {
      terminal.print(`${family.name}: random programs, ${command.strategy}, at most ${command.seconds} s a seed`);
      terminal.print(`  ${pad('hazard', width)}   found   median       max   executions  violation`);
      for (const hazard of family.hazards) {
        if (command.hazard !== undefined && hazard.id !== command.hazard) continue;
        const kills = await seedsOf(family, hazard, command, context, interrupt);
        if (interrupt.requested()) return exitCode.interrupted;
        if (kills.some(({ found }) => found === undefined)) missed++;
        terminal.print(`  ${rowText(hazard, kills, width, terminal.colour)}`);
        terminal.event({ event: 'hazard', family: family.name, hazard: hazard.id, seeds: kills.map(killData) });
      }
    }
    terminal.print(missed === 0 ? 'Every hazard was found from every seed.' : `${missed} not found from every seed.`);
    return missed === 0 ? exitCode.holds : exitCode.harness;
  });
}

async function seedsOf(
  family: Family,
  hazard: Hazard,
  command: HazardsCommand,
  context: Context,
  interrupt: Interrupt,
): Promise<Kill[]> {
  const kills: Kill[] = [];
  for (let seed = 1; seed <= command.seeds && !interrupt.requested(); seed++) {
    let first: Found | undefined;
    await fuzz(family, {
      hazard: hazard.id,
      seed,
      seconds: command.seconds,
      strategy: command.strategy,
      stop: interrupt.requested,
      onProgress: (summary) =>
        context.terminal.progress(`${hazard.id} seed ${seed}: ${progressText(family.name, summary)}`),
      onFound: (found) => {
        first = found;
        return 'stop';
      },
    });
    kills.push({ seed, found: first });
  }
  return kills;
}

function rowText(hazard: Hazard, kills: readonly Kill[], width: number, colour: boolean): string {
  const inks = paint(colour);
  const found = kills.flatMap((kill) => (kill.found === undefined ? [] : [kill.found]));
  const score = `${found.length}/${kills.length}`.padStart(7);
  const name = `${pad(hazard.id, width)} ${(found.length === kills.length ? inks.good : inks.bad)(score)}`;
  if (found.length === 0) return `${name}        -         -            -  ${hazard.expected[0]?.rule ?? ''} expected`;
  const seconds = found.map(({ provenance }) => provenance.seconds).sort((a, b) => a - b);
  const executions = found.map(({ provenance }) => provenance.executions).sort((a, b) => a - b);
  const rules = [...new Set(found.map(({ failure }) => failure.rule))].join(', ');
  const times = [median(seconds), seconds.at(-1) ?? 0].map((time) => `${time.toFixed(2)} s`);
  return `${name}${(times[0] ?? '').padStart(9)}${(times[1] ?? '').padStart(10)}${grouped(median(executions)).padStart(13)}  ${rules}`;
}

/** The middle of sorted numbers; the lower one of two. */
function median(sorted: readonly number[]): number {
  return sorted[(sorted.length - 1) >> 1] ?? 0;
}

function killData({ seed, found }: Kill): object {
  return { seed, found: found !== undefined, ...found?.provenance, rule: found?.failure.rule };
}
