/**
 * The trace document: everything that is needed to see a failure again, as one JSON file.
 *
 * A schedule is stored as choices (which agent does what, for the how-manieth time), not as bare indices: when yield
 * points are added to the software under test, the choices can be re-aligned, or it can be said where they no longer fit.
 * A document has no date and no duration, so that the same finding always makes the same file.
 */
import { z } from 'zod';

/** Value of the `format` field of every trace. */
export const traceFormat = 'stalemate-trace';
/**
 * The version that this tool writes, and the newest that it reads. Version 2 added what is known about a failure: the bug,
 * its explanation, the switches that are needed. A trace of version 1 is one without.
 */
export const traceVersion = 2;

const scalar = z.union([z.number(), z.string(), z.boolean()]);
const count = z.int().min(0);

const operation = z
  .object({ op: z.string().min(1) })
  .catchall(scalar)
  .describe('one operation: its kind and its arguments');

const program = z.strictObject({
  agents: z.array(z.strictObject({ name: z.string().min(1), operations: z.array(operation) })).min(1),
});

const choice = z
  .tuple([z.string().min(1), z.string(), count])
  .describe('agent, label of its step, and how often that agent has made a step with this label before');

const bug = z
  .strictObject({
    rule: z.string().min(1),
    promise: z.string().exactOptional(),
    through: z.string().exactOptional().describe('the kind of structure that it happened through'),
    at: z.string().exactOptional().describe('operation and step at which it showed'),
    path: z.array(z.string()).exactOptional().describe('steps of that operation up to there, each once'),
    races: z.array(z.string()).describe('accesses of two agents whose order is part of the bug'),
  })
  .describe('which bug it is, without names and numbers: two failures with the same one are the same bug');

const expected = z.strictObject({
  fingerprint: z.string().min(1).describe('which bug it is: monitor/rule, and a kind where one rule has several'),
  monitor: z.string().min(1),
  rule: z.string().min(1),
  message: z.string().min(1),
  data: z.record(z.string(), z.union([z.string(), z.number()])).exactOptional(),
  bug: bug.exactOptional(),
});

const needed = z
  .strictObject({
    at: count.describe('the step after the switch'),
    after: z
      .strictObject({ first: count, second: count, reads: z.boolean() })
      .exactOptional()
      .describe('`first` must come before `second`; `reads`: the one reads what the other wrote'),
    before: z
      .strictObject({ step: count, agent: z.string(), label: z.string(), ahead: count })
      .exactOptional()
      .describe('`step` must come before a step of the agent that was left: its `ahead`-th from there'),
  })
  .describe('a switch without which the program does not fail; steps count from 0');

const provenance = z.strictObject({
  tool: z.string().describe('name and version of the program that wrote the trace'),
  seed: z.int(),
  strategy: z.string(),
  executions: count.describe('executions up to and including the one that failed'),
});

const verdict = z.enum(['proved', 'not-proved']);
const minimal = z.strictObject({
  operations: verdict.describe('proved: every smaller program was exhausted and holds'),
  arguments: verdict.exactOptional().describe('proved: so does the program with any simpler arguments'),
  schedule: verdict.describe('proved: no schedule with fewer switches, or as many and fewer steps, shows the failure'),
  smallerPrograms: count,
  states: count,
  operationsFrom: count,
  stepsFrom: count,
  switches: count,
  switchesFrom: count,
  note: z.string(),
});

const head = { format: z.literal(traceFormat), version: z.literal([1, traceVersion]) };

const software = z
  .strictObject({
    ...head,
    kind: z.literal('software'),
    family: z.string().min(1),
    target: z.string().min(1).describe('what the software ran on when the failure was found'),
    hazard: z
      .string()
      .min(1)
      .exactOptional()
      .describe('the mistake that was built in; absent: the correct implementation'),
    configuration: z.record(z.string(), scalar),
    program,
    schedule: z.array(choice),
    expected,
    provenance,
    minimal: minimal.exactOptional(),
    necessary: z.array(needed).exactOptional().describe('the switches that are needed, as far as it is known'),
    why: z
      .array(z.strictObject({ head: z.string(), text: z.string() }))
      .exactOptional()
      .describe('the explanation, as in the report'),
  })
  .describe('a failure of software: a program, and the schedule under which it breaks a promise');

const plain = z.record(z.string(), z.json());

const deviation = z
  .strictObject({
    operation: count.describe('index of the operation at which the device deviates'),
    part: z.enum(['read', 'write', 'command', 'device']),
    difference: z.string().min(1),
    found: z.string(),
    expected: z.array(z.string()),
    answer: z.string(),
    permitted: z.array(z.string()),
    ending: plain.exactOptional(),
  })
  .describe('what the device answered, and what the architecture permits');

const conformance = z
  .strictObject({
    ...head,
    kind: z.literal('conformance'),
    family: z.string().min(1),
    target: z.string().min(1).describe('the device that deviates'),
    hazard: z.string().exactOptional().describe('the mistake that was built into the device'),
    targetVersion: z.string().describe('what the device says it is'),
    program: z
      .strictObject({ configuration: plain, operations: z.array(plain).min(1) })
      .describe('configuration and operations, as the conformance check runs them'),
    deviation,
    expected,
    provenance: z.strictObject({
      tool: z.string(),
      seed: z.int().describe('of the run'),
      programSeed: z.int().describe('of the program within the run'),
    }),
    minimal: z
      .strictObject({ operations: verdict, operationsFrom: count })
      .describe('proved: removing any one operation makes the deviation vanish'),
  })
  .describe('a deviation of a device from the architecture: what was done to it, and which rule its answer breaks');

/** Schema of a trace document. */
export const traceSchema = z.discriminatedUnion('kind', [software, conformance]).meta({
  title: 'Stalemate trace',
  description: 'A failure found by Stalemate, with everything that is needed to replay it.',
});

/** A failure of software. */
export type SoftwareTrace = z.infer<typeof software>;
/** A deviation of a device. */
export type ConformanceTrace = z.infer<typeof conformance>;
/** Any trace. */
export type Trace = SoftwareTrace | ConformanceTrace;
/** One step of a stored schedule: agent, label, ordinal. */
export type Choice = z.infer<typeof choice>;

/** The JSON Schema that is published as `traces/trace.schema.json`. */
export function jsonSchema(): object {
  return z.toJSONSchema(traceSchema, { target: 'draft-2020-12' });
}
