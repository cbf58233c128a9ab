import { compileTemplate, type Variables } from './input-template.ts';
import { InvalidInputError } from './invalid-input-error.ts';
import { compileJsonPath, type JsonPath } from './json-path.ts';

/** What a rule's target is sent instead of the event: at most one of the members. */
export interface TargetInput {
  /** JSON. */
  readonly input?: string | undefined;
  readonly inputPath?: string | undefined;
  readonly inputTransformer?:
    | {
        /** JSON paths by the names of variables. */
        readonly inputPathsMap?: Readonly<Record<string, string>> | undefined;
        readonly inputTemplate: string;
      }
    | undefined;
}

/** The rule that matched, and when. */
export interface InputContext {
  readonly ruleArn: string;
  readonly ruleName: string;
  /** Epoch ms at which the bus took the event. */
  readonly ingestionTime: number;
}

/** `event`: parsed JSON. Returns what the target is sent. */
export type InputTransform = (event: unknown, context: InputContext) => Uint8Array;

/** Source: EventBridge API Reference, "InputTransformer". */
const MAX_VARIABLES = 100;
const MAX_TEMPLATE = 8192;
const VARIABLE_NAME = /^[A-Za-z0-9_-]{1,256}$/;
const MAX_PATH = 256;

const PREDEFINED = [
  'aws.events.event',
  'aws.events.event.ingestion-time',
  'aws.events.event.json',
  'aws.events.rule-arn',
  'aws.events.rule-name',
] as const;

/**
 * Reads what a target is to be sent: a constant, a part of the event, or a template; the whole event when it does not say.
 * Throws InvalidInputError; `targetId` is named in its message.
 */
export function compileInput(given: TargetInput, targetId: string): InputTransform {
  const { input, inputPath, inputTransformer } = given;
  if ([input, inputPath, inputTransformer].filter((member) => member !== undefined).length > 1) {
    throw new InvalidInputError(
      `Only one of Input, InputPath, or InputTransformer must be provided for target ${targetId}.`,
    );
  }
  if (input !== undefined) return constant(input, targetId);
  if (inputPath !== undefined) {
    const find = compileJsonPath(inputPath);
    if (!find) throw new InvalidInputError(`Invalid InputPath for target ${targetId}.`);
    return (event) => encode(find(event) ?? null);
  }
  return inputTransformer ? transformer(inputTransformer, targetId) : encode;
}

const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

function constant(input: string, targetId: string): InputTransform {
  try {
    JSON.parse(input);
  } catch {
    throw new InvalidInputError(`Input for target ${targetId} is not a valid JSON text.`);
  }
  const payload = Buffer.from(input);
  return () => payload;
}

function transformer(
  { inputPathsMap = {}, inputTemplate }: NonNullable<TargetInput['inputTransformer']>,
  targetId: string,
): InputTransform {
  const paths = compilePaths(inputPathsMap, targetId);
  if (inputTemplate === '' || inputTemplate.length > MAX_TEMPLATE) {
    throw new InvalidInputError(`InputTemplate for target ${targetId} must have 1 to ${MAX_TEMPLATE} characters.`);
  }
  const render = template(inputTemplate, new Set([...paths.keys(), ...PREDEFINED]), targetId);
  return (event, context) => Buffer.from(render(variablesOf(paths, event, context)));
}

function template(text: string, names: ReadonlySet<string>, targetId: string): (variables: Variables) => string {
  try {
    return compileTemplate(text, names);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(`InputTemplate for target ${targetId} ${error.message}`);
  }
}

function compilePaths(given: Readonly<Record<string, string>>, targetId: string): Map<string, JsonPath> {
  const entries = Object.entries(given);
  if (entries.length > MAX_VARIABLES) {
    throw new InvalidInputError(`InputPathsMap for target ${targetId} has more than ${MAX_VARIABLES} entries.`);
  }
  return new Map(
    entries.map(([name, path]) => {
      if (!VARIABLE_NAME.test(name)) {
        throw new InvalidInputError(`InputPathsMap for target ${targetId} contains invalid key ${name}.`);
      }
      const find = path.length > MAX_PATH ? undefined : compileJsonPath(path);
      if (!find) throw new InvalidInputError(`InputPathsMap for target ${targetId} contains invalid path ${path}.`);
      return [name, find];
    }),
  );
}

function variablesOf(paths: ReadonlyMap<string, JsonPath>, event: unknown, context: InputContext): Variables {
  return (name) => {
    switch (name) {
      case 'aws.events.rule-arn':
        return context.ruleArn;
      case 'aws.events.rule-name':
        return context.ruleName;
      case 'aws.events.event.ingestion-time':
        return new Date(context.ingestionTime).toISOString().replace(/\.\d{3}Z$/, 'Z');
      case 'aws.events.event.json':
        return event;
      case 'aws.events.event':
        return withoutDetail(event);
      default:
        return paths.get(name)!(event);
    }
  };
}

/** The event without its `detail`, and with `detailType` for `detail-type`, as AWS was seen to send it. */
function withoutDetail(event: unknown): unknown {
  if (typeof event !== 'object' || event === null) return event;
  const { detail: _, 'detail-type': detailType, ...rest } = event as Readonly<Record<string, unknown>>;
  return { ...rest, ...(detailType === undefined ? {} : { detailType }) };
}
