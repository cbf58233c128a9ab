import type { Target } from '@aws-sdk/client-scheduler';
import { parseArn } from '../../base/arn.ts';
import type { Delivery } from '../../events/index.ts';
import { invalid, refused } from './errors.ts';
import { checkInteger, checkLength } from './validation.ts';

/** Source: API Reference, "RetryPolicy". */
const MAXIMUM_RETRIES = 185;
const EVENT_AGE = { least: 60, most: 86_400 } as const;
/** Characters. Source: API Reference, "Target". */
const MAXIMUM_INPUT = 256 * 1024;

const SERVED = 'Use the ARN of a Lambda function, an SQS queue, an SNS topic or an EventBridge event bus.';

/** Which service runs each kind of parameters that is not served. */
const ABSENT = {
  EcsParameters: 'Amazon ECS tasks are not run here.',
  EventBridgePutEventsV2Parameters: 'Use EventBridgeParameters with the ARN of an event bus.',
  EventBridgePutRawEventsParameters: 'Use EventBridgeParameters with the ARN of an event bus.',
  KinesisParameters: 'There are no Kinesis streams here.',
  SageMakerPipelineParameters: 'There are no SageMaker pipelines here.',
} as const satisfies Partial<Record<keyof Target, string>>;

export type TargetKind = 'lambda' | 'sqs' | 'sns' | 'events';

/**
 * The target with the defaults of its retry policy. Throws ValidationException, or NotImplemented for kinds of targets that
 * are not served. Source: EventBridge Scheduler User Guide, "Using templated targets".
 */
export function checkTarget(target: Target, delivery: Pick<Delivery, 'supports'>): Target {
  const kind = checkKind(target, delivery);
  checkRole(target.RoleArn!);
  checkParameters(target, kind);
  checkInput(target.Input, kind);
  checkDeadLetters(target.DeadLetterConfig?.Arn);
  const { MaximumEventAgeInSeconds: age, MaximumRetryAttempts: retries } = target.RetryPolicy ?? {};
  checkInteger(age, 'target.retryPolicy.maximumEventAgeInSeconds', EVENT_AGE.least, EVENT_AGE.most);
  checkInteger(retries, 'target.retryPolicy.maximumRetryAttempts', 0, MAXIMUM_RETRIES);
  return {
    ...target,
    RetryPolicy: {
      MaximumEventAgeInSeconds: age ?? EVENT_AGE.most,
      MaximumRetryAttempts: retries ?? MAXIMUM_RETRIES,
    },
  };
}

/** The kind of a target that `checkTarget` has passed. */
export function kindOf(targetArn: string): TargetKind {
  return parseArn(targetArn)!.service as TargetKind;
}

function checkKind(target: Target, delivery: Pick<Delivery, 'supports'>): TargetKind {
  const arn = target.Arn!;
  checkLength(arn, 'target.arn', 1, 1600);
  const parsed = parseArn(arn);
  if (!parsed) throw invalid('Provided Arn is not in correct format.');
  if (parsed.service === 'scheduler') throw refused(`The universal target ${arn}`, SERVED);
  const resource = {
    lambda: /^function:[^:/]+(:[^:/]+)?$/,
    sqs: /^[\w-]+(\.fifo)?$/,
    sns: /^[\w-]+(\.fifo)?$/,
    events: /^event-bus\/.+$/,
  }[parsed.service];
  if (!resource || !delivery.supports(arn)) throw refused(`A target of ${parsed.service} (${arn})`, SERVED);
  if (!resource.test(parsed.resource) || !/^\d{12}$/.test(parsed.account)) {
    throw invalid('Provided Arn is not in correct format.');
  }
  return parsed.service as TargetKind;
}

function checkRole(arn: string): void {
  checkLength(arn, 'target.roleArn', 1, 1600);
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(arn)) {
    throw invalid(`Provided RoleArn is not in correct format: ${arn}`);
  }
}

function checkParameters(target: Target, kind: TargetKind): void {
  for (const [member, instead] of Object.entries(ABSENT)) {
    if (target[member as keyof typeof ABSENT] !== undefined) throw refused(member, instead);
  }
  const { EventBridgeParameters: event, SqsParameters: sqs } = target;
  if (sqs && kind !== 'sqs') throw invalid('SqsParameters go with an Amazon SQS queue as the target.');
  if (event && kind !== 'events')
    throw invalid('EventBridgeParameters go with an EventBridge event bus as the target.');
  if (kind === 'events' && !event) {
    throw invalid('EventBridgeParameters with a DetailType and a Source are required for an EventBridge event bus.');
  }
  checkLength(event?.DetailType, 'target.eventBridgeParameters.detailType', 1, 128);
  checkLength(event?.Source, 'target.eventBridgeParameters.source', 1, 256);
  if (event?.Source?.startsWith('aws.')) throw invalid('The Source of an event cannot begin with aws.');
  checkLength(sqs?.MessageGroupId, 'target.sqsParameters.messageGroupId', 1, 128);
  const fifo = kind === 'sqs' && target.Arn!.endsWith('.fifo');
  if (fifo && sqs?.MessageGroupId === undefined) {
    throw invalid('SqsParameters with a MessageGroupId are required for a FIFO queue.');
  }
}

/** Functions and event buses take JSON; queues and topics any text. */
function checkInput(input: string | undefined, kind: TargetKind): void {
  if (input === undefined) return;
  checkLength(input, 'target.input', 1, MAXIMUM_INPUT);
  if (kind !== 'lambda' && kind !== 'events') return;
  try {
    JSON.parse(input);
  } catch (error) {
    throw invalid(`Invalid RequestJson provided. Reason: ${(error as Error).message}`);
  }
}

/** Source: EventBridge Scheduler User Guide, "Configuring a schedule's dead-letter queue". */
function checkDeadLetters(arn: string | undefined): void {
  if (arn === undefined) return;
  const parsed = parseArn(arn);
  if (parsed?.service !== 'sqs' || !/^[\w-]+(\.fifo)?$/.test(parsed.resource)) {
    throw invalid('The dead-letter queue is the ARN of an Amazon SQS queue.');
  }
  if (arn.endsWith('.fifo')) throw invalid('A FIFO queue cannot be the dead-letter queue of a schedule.');
}
