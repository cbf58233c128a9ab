import type { HttpParameters, Target } from '@aws-sdk/client-eventbridge';
import {
  compileInput,
  type DeliveryRequest,
  type InputTransform,
  InvalidInputError,
  stringAttributes,
  type TargetParameters,
} from '../../events/index.ts';
import type { EventEnvelope } from './envelope.ts';
import { type RuleId, type RuleRecord, ruleArn } from './records.ts';

/** The name under which events on their way to targets are known to the delivery. */
export const SOURCE = 'events';
export const PRINCIPAL = 'events.amazonaws.com';

/** Source: EventBridge User Guide, "How EventBridge retries delivering events". */
export const MAXIMUM_RETRIES = 185;
export const MAXIMUM_AGE_SECONDS = 86_400;

/** A path does not look at it. */
const NO_CONTEXT = { ruleArn: '', ruleName: '', ingestionTime: 0 };

/** What an invocation remembers of its rule and target as they were when the event matched. */
export interface InvocationAttributes extends Record<string, unknown> {
  readonly ruleArn: string;
  readonly retries: number;
  readonly ageSeconds: number;
  readonly deadLetters?: string | undefined;
  /** The event, for the dead letter, when the payload is something else. */
  readonly event?: string | undefined;
  /** Buses that the event has been on. */
  readonly buses: number;
  /** The payload is not the event but what the target's input made of it. */
  readonly transformed?: true;
  readonly http?: HttpParameters;
}

/** An event that is on a bus. */
export interface BusEvent {
  readonly event: EventEnvelope;
  /** The event as JSON. */
  readonly text: string;
  /** Epoch ms at which the bus got it. */
  readonly ingestedAt: number;
  readonly traceHeader?: string | undefined;
  /** Buses that it has been on, this one included. */
  readonly buses: number;
}

/** A rule with its targets, ready to be invoked. */
export interface ActiveRule {
  readonly arn: string;
  readonly invocations: (event: BusEvent) => readonly DeliveryRequest[];
}

/** Prepares a rule's targets. Throws InvalidInputError for an input that cannot be made; PutTargets has checked it. */
export function activate(id: RuleId, { targets }: Pick<RuleRecord, 'targets'>): ActiveRule {
  const arn = ruleArn(id);
  const prepared = targets.map((target) => prepare(id, arn, target));
  return { arn, invocations: (event) => prepared.flatMap((invoke) => invoke(event)) };
}

/** How the target's input is made from the event; `undefined`: it is the event itself. */
export function inputOf(target: Target): InputTransform | undefined {
  const { Input: input, InputPath: inputPath, InputTransformer: transformer } = target;
  if (input === undefined && inputPath === undefined && transformer === undefined) return undefined;
  const inputTransformer = transformer && {
    inputPathsMap: transformer.InputPathsMap,
    inputTemplate: transformer.InputTemplate!,
  };
  return compileInput({ input, inputPath, inputTransformer }, target.Id!);
}

/** Throws InvalidInputError for an input, or a parameter out of the event, that cannot be made. */
export function checkInputs(target: Target): void {
  inputOf(target);
  httpParametersOf(target);
}

function prepare(id: RuleId, arn: string, target: Target): (event: BusEvent) => readonly DeliveryRequest[] {
  const { account, region } = id;
  const input = inputOf(target);
  const deadLetters = target.DeadLetterConfig?.Arn;
  const parameters = parametersOf(target);
  const fixed = {
    source: SOURCE,
    targetArn: target.Arn!,
    account,
    region,
    caller: {
      service: PRINCIPAL,
      sourceArn: arn,
      sourceAccount: account,
      ...(target.RoleArn === undefined ? {} : { roleArn: target.RoleArn }),
    },
    ...(parameters === undefined ? {} : { parameters }),
  };
  const remembered = {
    ruleArn: arn,
    retries: target.RetryPolicy?.MaximumRetryAttempts ?? MAXIMUM_RETRIES,
    ageSeconds: target.RetryPolicy?.MaximumEventAgeInSeconds ?? MAXIMUM_AGE_SECONDS,
    ...(deadLetters === undefined ? {} : { deadLetters }),
  };
  const http = httpParametersOf(target);
  return ({ buses, event, ingestedAt, text, traceHeader }) => {
    let payload: Uint8Array | undefined;
    try {
      payload = input?.(event, { ruleArn: arn, ruleName: id.rule, ingestionTime: ingestedAt });
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      return deadLetters === undefined ? [] : [unmade(fixed, deadLetters, text, error)];
    }
    const attributes: InvocationAttributes = {
      ...remembered,
      buses,
      ...(payload === undefined ? {} : { transformed: true }),
      ...(http ? { http: http(event) } : {}),
      ...(payload !== undefined && deadLetters !== undefined ? { event: text } : {}),
    };
    return [
      {
        ...fixed,
        payload: payload ?? Buffer.from(text),
        attributes,
        ...(traceHeader === undefined ? {} : { traceHeader }),
      },
    ];
  };
}

/** The dead letter of an event out of which the target's input cannot be made: there is nothing to try. */
function unmade(
  { account, caller: { roleArn: _, ...caller }, region, source, targetArn }: Unsent,
  deadLetters: string,
  text: string,
  { message }: InvalidInputError,
): DeliveryRequest {
  return {
    source,
    targetArn: deadLetters,
    payload: Buffer.from(text),
    account,
    region,
    caller,
    parameters: {
      messageAttributes: stringAttributes({
        ERROR_CODE: 'INVALID_PARAMETER',
        ERROR_MESSAGE: `The input transformer ${message}`,
        RETRY_ATTEMPTS: '0',
        RULE_ARN: caller.sourceArn,
        TARGET_ARN: targetArn,
      }),
    },
    attributes: {
      ruleArn: caller.sourceArn,
      retries: MAXIMUM_RETRIES,
      ageSeconds: MAXIMUM_AGE_SECONDS,
      buses: 0,
    } satisfies InvocationAttributes,
  };
}

type Unsent = Pick<DeliveryRequest, 'account' | 'region' | 'source' | 'targetArn'> & {
  readonly caller: { readonly service: string; readonly sourceArn: string; readonly roleArn?: string };
};

function parametersOf({ SqsParameters }: Target): TargetParameters | undefined {
  const messageGroupId = SqsParameters?.MessageGroupId;
  return messageGroupId === undefined ? undefined : { messageGroupId };
}

/** The target's HTTP parameters; a value that is a path into the event becomes what is found there. */
function httpParametersOf(target: Target): ((event: EventEnvelope) => HttpParameters) | undefined {
  const { HttpParameters: given } = target;
  if (!given) return undefined;
  const path = (given.PathParameterValues ?? []).map((value) => dynamic(value, target.Id!));
  const headers = dynamicRecord(given.HeaderParameters, target.Id!);
  const query = dynamicRecord(given.QueryStringParameters, target.Id!);
  return (event) => ({
    PathParameterValues: path.map((value) => value(event)),
    HeaderParameters: headers(event),
    QueryStringParameters: query(event),
  });
}

function dynamicRecord(given: Readonly<Record<string, string>> | undefined, targetId: string) {
  const entries = Object.entries(given ?? {}).map(([key, value]) => [key, dynamic(value, targetId)] as const);
  return (event: EventEnvelope) => Object.fromEntries(entries.map(([key, value]) => [key, value(event)]));
}

/** Source: EventBridge User Guide, "Dynamic path parameters": `$.detail.id`. */
function dynamic(value: string, targetId: string): (event: EventEnvelope) => string {
  if (!value.startsWith('$.')) return () => value;
  const find = compileInput({ inputPath: value }, targetId);
  return (event) => {
    const found: unknown = JSON.parse(Buffer.from(find(event, NO_CONTEXT)).toString());
    return typeof found === 'string' ? found : found === null ? '' : JSON.stringify(found);
  };
}
