/** The command line: names, options, help. What the commands do is in `commands/`. */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { STRATEGY_NAMES, type StrategyName } from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';
import { conformanceFamily } from '../traces/conformance.ts';
import { version } from '../traces/version.ts';
import { costCommand } from './commands/cost.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exploreCommand } from './commands/explore.ts';
import { fuzzCommand } from './commands/fuzz.ts';
import { hazardsCommand } from './commands/hazards.ts';
import { minimiseCommand } from './commands/minimise.ts';
import { replayCommand } from './commands/replay.ts';
import { summariseCommand } from './commands/summarise.ts';
import { verifyCommand } from './commands/verify.ts';
import { minimiseHere, type Minimise } from './background.ts';
import type { Context } from './context.ts';
import { UsageError, type ExitCode } from './exit.ts';
import { ALLOCATOR_NAMES } from './exploration/allocators.ts';
import { allocatorsHere, type AllocatorRows } from './exploration/allocator-rows.ts';
import { campaignsHere, type RunCampaigns } from './campaigns.ts';
import { seedIn } from './fuzzing-progress.ts';
import { searchHere, type MakeSearcher } from './searchers.ts';
import { ProcessTerminal, type Terminal } from './terminal.ts';

const foundFolder = 'traces/found';
/** Threads unless the user wants more: litmus programs are small. */
const WORKERS_MAX = 8;
const jsonHelp = 'write one JSON object a line instead of text';
const exitCodes = `
Exit codes: 0 holds · 1 violation found or reproduced · 2 usage · 3 the check itself is broken or shows too little ·
130 interrupted before anything was found`;

/** What differs between the command and its tests. */
export interface Surroundings {
  /** Makes the terminal; default: that of the process. */
  readonly makeTerminal?: (json: boolean) => Terminal;
  /** Default: in this thread. */
  readonly minimise?: Minimise;
  /** Default: in this thread. */
  readonly searcher?: MakeSearcher;
  /** Default: in this thread. */
  readonly campaigns?: RunCampaigns;
  /** Default: in this thread. */
  readonly allocators?: AllocatorRows;
  /** Names the sources that run; default: unknown. */
  readonly software?: string;
}

/** The command-line parser. `done` receives the exit code of the command that ran. */
export function makeProgram(
  families: readonly Family[],
  done: (code: ExitCode) => void,
  {
    makeTerminal = (json) => new ProcessTerminal(json),
    minimise = minimiseHere,
    searcher = searchHere(families),
    campaigns = campaignsHere,
    allocators = allocatorsHere,
    software,
  }: Surroundings = {},
): Command {
  const program = new Command('stalemate')
    .description(
      'Finds stale translations, races and deadlocks in IOMMU software, and deviations in IOMMU device models.',
    )
    .version(version)
    .option('--json', jsonHelp)
    .addHelpText('after', exitCodes)
    .showHelpAfterError('(stalemate --help lists commands and options)');
  let json = false;
  const context = (): Context => ({
    families,
    minimise,
    searcher,
    campaigns,
    allocators,
    software,
    terminal: makeTerminal(json),
  });
  addFuzz(program, context, done, families);
  addVerify(program, context, done, families);
  addExplore(program, context, done, families);
  addReplay(program, context, done, families);
  addMinimise(program, context, done, families);
  addHazards(program, context, done, families);
  program
    .command('summarise')
    .description('write a folder of traces as Markdown, for the summary of a CI job')
    .argument('[folder]', 'a folder of traces', foundFolder)
    .action((folder: string) => done(summariseCommand(folder, context())));
  program
    .command('doctor')
    .description('say which targets can be used here, and how to get the others')
    .action(async () => done(await doctorCommand(context())));
  for (const command of program.commands) command.option('--json', jsonHelp);
  program.hook('preAction', (_program, command) => {
    json = [program, command].some((one) => one.opts<{ json?: boolean }>().json === true);
  });
  return program;
}

type Add = (
  program: Command,
  context: () => Context,
  done: (code: ExitCode) => void,
  families: readonly Family[],
) => void;

const strategyOption = (): Option =>
  new Option('--strategy <name>', 'how schedules are chosen').choices(STRATEGY_NAMES).default('portfolio');

const addFuzz: Add = (program, context, done, families) => {
  interface Options {
    target?: string;
    against?: string;
    hazard?: string;
    seed?: number;
    seconds?: number;
    runs?: number;
    strategy: StrategyName;
    out: string;
    minimise: number;
    keepGoing?: boolean;
    workers: number;
    checkpoint?: string;
    cost?: boolean;
  }
  program
    .command('fuzz')
    .description('run random programs under random schedules; without a family: all of them, and our own device')
    .argument('[family...]', [...families.map(({ name }) => name), 'conformance'].join(', '))
    .option('--target <name>', 'what to run on: architecture, builtin, qemu-smmuv3')
    .option(
      '--against <device>',
      'for conformance: a second device (a target, or the path of a QEMU); lists what only one does',
    )
    .option('--hazard <id>', 'build a known mistake into the software')
    .option('--seed <number>', 'where randomness starts; default: from the clock', integer)
    .option('--seconds <number>', 'how long, for each family (default: 20; without a family 10)', positive)
    .option('--runs <number>', 'how many executions, instead of seconds', integer)
    .addOption(strategyOption())
    .option('--out <folder>', 'where traces of failures go', foundFolder)
    .option('--minimise <seconds>', 'time for making a failure small; 0: leave it as it is', positive, 60)
    .option('--keep-going', 'go on after a failure, and look for different ones')
    .option('--workers <number>', 'how many runs side by side, each in a thread and with a seed of its own', integer, 1)
    .option('--checkpoint <file>', 'keep the progress in a file; the same command then goes on from it')
    .option('--cost', 'run the same programs under each design of a family, and count what invalidations cost there')
    .action(async (names: string[], options: Options, given: Command) => {
      const { target, against, hazard, seconds, runs, strategy, out, workers, checkpoint } = options;
      const seed = options.seed ?? seedIn(checkpoint) ?? Date.now() % 1_000_000_000;
      if (options.cost === true) {
        onlyWith('--cost', ['cost', 'seed', 'runs', 'out', 'minimise', 'json'], given);
        const command = { families: names, seed, runs, out, minimiseSeconds: options.minimise };
        return done(await costCommand(command, context()));
      }
      const keepGoing = options.keepGoing === true;
      const command = {
        families: names,
        target,
        against,
        hazard,
        seed,
        seconds,
        runs,
        strategy,
        out,
        minimiseSeconds: options.minimise,
        keepGoing,
        workers,
        checkpoint,
      };
      done(await fuzzCommand(command, context()));
    });
};

const addVerify: Add = (program, context, done, families) => {
  interface Options {
    ops: number;
    agents: number;
    world?: string[];
    configuration?: string[];
    only?: string[];
    hazard?: string;
    seconds?: number;
    states: number;
    traces?: boolean;
    out: string;
    minimise: number;
  }
  program
    .command('verify')
    .description('run every program of a few operations under every schedule')
    .argument('<family>', families.map(({ name }) => name).join(', '))
    .option('--ops <number>', 'most operations of a program', integer, 2)
    .option('--agents <number>', 'most CPUs that they are dealt to', integer, 2)
    .option('--world <name...>', 'only from these worlds')
    .option('--configuration <field=value...>', 'from the plain world, or those named, with this difference')
    .option('--only <operation...>', 'only programs of these operations')
    .option('--hazard <id>', 'build a known mistake into the software')
    .option('--seconds <number>', 'time after which it ends, and says what is left', positive)
    .option('--states <number>', 'states after which a search counts as not exhausted', integer, 100_000_000)
    .option('--traces', 'explore each program on its own, too, and count its interleavings and traces')
    .option('--out <folder>', 'where the trace of a failure goes', foundFolder)
    .option('--minimise <seconds>', 'time for making a failure small; 0: leave it as it is', positive, 60)
    .action(async (family: string, options: Options) => {
      const { ops, hazard, seconds, states, out, minimise, world = [], configuration = [], only = [] } = options;
      const command = {
        family,
        operations: ops,
        cpus: options.agents,
        worlds: world,
        configuration,
        kinds: only,
        hazard,
        seconds,
        statesMax: states,
        traces: options.traces === true,
        out,
        minimiseSeconds: minimise,
      };
      done(await verifyCommand(command, context()));
    });
};

const addExplore: Add = (program, context, done) => {
  interface Options {
    hazard?: string;
    states: number;
    switches?: number;
    visited: 'full' | 'compact' | 'bitstate';
    memory?: number;
    out: string;
    workers?: number;
    checkpoint?: string;
  }
  program
    .command('explore')
    .description('run litmus programs, or the models of allocators, under every schedule')
    .argument('<name>', `a family, one litmus, or ${ALLOCATOR_NAMES.join(', ')}`)
    .option(
      '--hazard <id>',
      'build a known mistake into the software; default: the correct one, then each mistake of the litmus',
    )
    .option('--states <number>', 'states after which a litmus counts as not exhausted', integer, 50_000_000)
    .option('--switches <number>', 'only schedules with up to so many context switches', integer)
    .addOption(
      new Option('--visited <mode>', 'how states are remembered; compact and bitstate may miss some, and say so')
        .choices(['full', 'compact', 'bitstate'])
        .default('full'),
    )
    .option('--memory <megabytes>', 'for compact and bitstate (default: 256)', integer)
    .option('--out <folder>', 'where traces of failures go', foundFolder)
    .option('--workers <number>', 'how many threads (default: one for each processor, at most 8)', integer)
    .option('--checkpoint <file>', 'keep the progress in a file; the same command then goes on from it')
    .action(async (name: string, options: Options) => {
      const { hazard, states, switches, visited, memory, out, checkpoint } = options;
      const workers = options.workers ?? Math.min(availableParallelism(), WORKERS_MAX);
      const how = { statesMax: states, switchesMax: switches, visited, memoryMb: memory };
      done(await exploreCommand({ name, hazard, ...how, out, workers, checkpoint }, context()));
    });
};

const addReplay: Add = (program, context, done) => {
  program
    .command('replay')
    .description('run a trace again, and explain it')
    .argument('<trace>', 'a trace file')
    .option('--step', 'walk through it step by step')
    .option(
      '--target <name>',
      'what to run it on: architecture, builtin (our device) or qemu-smmuv3; default: what the trace names',
    )
    .option('--hazard <id>', 'another mistake than the trace names; none: every schedule on the correct software')
    .action(async (file: string, options: { step?: boolean; target?: string; hazard?: string }) =>
      done(
        await replayCommand(
          { file, target: options.target, hazard: options.hazard, step: options.step === true },
          context(),
        ),
      ),
    );
};

const addMinimise: Add = (program, context, done) => {
  program
    .command('minimise')
    .description('make a trace as small as it can be')
    .argument('<trace>', 'a trace file')
    .option('--seconds <number>', 'how long', positive, 60)
    .option('--out <folder>', 'where the result goes; default: beside the trace')
    .action(async (file: string, options: { seconds: number; out?: string }) =>
      done(await minimiseCommand({ file, seconds: options.seconds, out: options.out }, context())),
    );
};

const addHazards: Add = (program, context, done) => {
  interface Options {
    family?: string;
    hazard?: string;
    seeds: number;
    seconds: number;
    strategy: StrategyName[];
    matrix?: boolean;
    minimise?: number;
    ops?: number;
    workers: number;
    markdown?: string;
  }
  program
    .command('hazards')
    .description('look for each known mistake, and show how fast it is found')
    .option('--family <name>', 'only this family; conformance: mistakes of devices')
    .option('--hazard <id>', 'only this mistake')
    .option('--seeds <number>', 'seeds 1 to this', integer, 10)
    .option('--seconds <number>', 'processor time for each seed', positive, 10)
    .addOption(
      new Option('--strategy <name...>', 'how schedules are chosen').choices(STRATEGY_NAMES).default(['portfolio']),
    )
    .option('--matrix', 'every strategy; and makes a failure small, and exhausts programs of two operations')
    .option('--minimise <seconds>', 'time for making a failure of each mistake small', positive)
    .option('--ops <number>', 'exhaust programs of up to so many operations, too', integer)
    .option('--workers <number>', 'processes that hunt at a time', integer, 1)
    .option('--markdown <file>', 'write the matrix as Markdown, too')
    .action(async (options: Options) => {
      const { seeds, seconds, workers, matrix } = options;
      const command = {
        family: options.family,
        hazard: options.hazard,
        seeds,
        seconds,
        strategies:
          options.family === conformanceFamily
            ? (['random'] as const)
            : matrix === true
              ? STRATEGY_NAMES
              : options.strategy,
        minimiseSeconds: options.minimise ?? (matrix === true ? 20 : 0),
        operations: options.ops ?? (matrix === true ? 2 : 0),
        workers,
        markdown: options.markdown,
        how: `stalemate hazards${options.family === conformanceFamily ? ` --family ${conformanceFamily}` : ''}${matrix === true ? ' --matrix' : ''} --seeds ${seeds} --seconds ${seconds}`,
      };
      done(await hazardsCommand(command, context()));
    });
};

/** Refuses what an option does not go with. @throws UsageError */
function onlyWith(option: string, allowed: readonly string[], command: Command): void {
  const other = command.options.find(
    (one) => command.getOptionValueSource(one.attributeName()) === 'cli' && !allowed.includes(one.attributeName()),
  );
  if (other !== undefined)
    throw new UsageError(
      `${option} goes with ${allowed
        .slice(1)
        .map((name) => `--${name}`)
        .join(', ')}; leave out ${other.long ?? ''}.`,
    );
}

function integer(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number, 0 or more.');
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a number, 0 or more.');
}
