import type { Target } from '@aws-sdk/client-eventbridge';
import { parseArn } from '../../base/arn.ts';
import { type Delivery, InvalidInputError } from '../../events/index.ts';
import { checkHeader } from './connections/credentials.ts';
import { Constraints } from './constraints.ts';
import { invalid, invalidParameter, refused } from './errors.ts';
import { checkInputs, MAXIMUM_AGE_SECONDS, MAXIMUM_RETRIES } from './invocation.ts';
import type { Place } from './records.ts';

const SERVED =
  'Use the ARN of a Lambda function, an SQS queue, an SNS topic, a log group, an event bus or an API destination.';

/** What each kind of target is called by. */
const RESOURCES: Readonly<Record<string, RegExp>> = {
  lambda: /^function:[^:/]+(:[^:/]+)?$/,
  sqs: /^[\w-]{1,80}(\.fifo)?$/,
  sns: /^[\w-]{1,256}(\.fifo)?$/,
  logs: /^log-group:[^:]+(:\*)?$/,
  events: /^(event-bus|api-destination)\/.+$/,
};

/** Which service runs each kind of parameters that is not served. */
const ABSENT = {
  AppSyncParameters: 'There is no AppSync here.',
  BatchParameters: 'There is no AWS Batch here.',
  EcsParameters: 'Amazon ECS tasks are not run here.',
  KinesisParameters: 'There are no Kinesis streams here.',
  RedshiftDataParameters: 'There is no Redshift here.',
  RunCommandParameters: 'Commands of Systems Manager are not run here.',
  SageMakerPipelineParameters: 'There are no SageMaker pipelines here.',
} as const satisfies Partial<Record<keyof Target, string>>;

/** Checks the form of a request's targets. Throws ValidationException. */
export function checkTargetForms(targets: readonly Target[]): void {
  const constraints = new Constraints().count('targets', targets, 1, 100);
  for (const [index, target] of targets.entries()) {
    const member = `targets.${index + 1}.member`;
    const { InputTransformer: transformer, RetryPolicy: retry } = target;
    constraints
      .name(`${member}.id`, target.Id, 64)
      .length(`${member}.arn`, target.Arn, 1, 1600)
      .length(`${member}.roleArn`, target.RoleArn, 1, 1600)
      .length(`${member}.input`, target.Input, 0, 8192)
      .length(`${member}.inputPath`, target.InputPath, 0, 256)
      .length(`${member}.inputTransformer.inputTemplate`, transformer?.InputTemplate, 1, 8192)
      .range(`${member}.retryPolicy.maximumRetryAttempts`, retry?.MaximumRetryAttempts, 0, MAXIMUM_RETRIES)
      .range(
        `${member}.retryPolicy.maximumEventAgeInSeconds`,
        retry?.MaximumEventAgeInSeconds,
        60,
        MAXIMUM_AGE_SECONDS,
      );
  }
  constraints.check();
}

/**
 * Throws ValidationException for a target that cannot be, and NotImplemented, naming it, for a kind that is not served.
 * Source: EventBridge User Guide, "Event bus targets".
 */
export function checkTarget(target: Target, place: Place, delivery: Pick<Delivery, 'supports'>): void {
  const kind = checkKind(target.Arn!, delivery);
  for (const [member, instead] of Object.entries(ABSENT)) {
    if (target[member as keyof typeof ABSENT] !== undefined) throw refused(member, instead);
  }
  checkRole(target, kind, place);
  checkParameters(target, kind);
  checkEventStaysWhole(target, kind, place);
  if (target.DeadLetterConfig?.Arn !== undefined) checkDeadLetters(target.DeadLetterConfig.Arn);
  try {
    checkInputs(target);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw invalid(error.message);
  }
}

type Kind = 'lambda' | 'sqs' | 'sns' | 'logs' | 'event-bus' | 'api-destination';

function checkKind(arn: string, delivery: Pick<Delivery, 'supports'>): Kind {
  const parsed = parseArn(arn);
  if (!parsed) throw invalidParameter('Arn', 'Provided Arn is not in correct format.');
  const resource = RESOURCES[parsed.service];
  if (!resource || !delivery.supports(arn)) throw refused(`A target of ${parsed.service} (${arn})`, SERVED);
  if (!resource.test(parsed.resource)) throw invalidParameter('Arn', 'Provided Arn is not in correct format.');
  return (parsed.service === 'events' ? parsed.resource.split('/')[0] : parsed.service) as Kind;
}

/** Log groups are written to where the rule is. Other accounts and Regions, and API destinations, are reached in the name of a role; log groups never are. */
function checkRole({ Arn: arn, RoleArn: role }: Target, kind: Kind, place: Place): void {
  const { account, region } = parseArn(arn!)!;
  const elsewhere = account !== place.account || region !== place.region;
  if (kind === 'logs' && elsewhere) {
    throw invalid(`A log group must be in the account and Region of the rule: ${arn}.`);
  }
  if (role === undefined) {
    if (kind === 'api-destination' || (kind === 'event-bus' && elsewhere)) {
      throw invalid(`RoleArn is required for target ${arn}.`);
    }
    return;
  }
  if (kind === 'logs') throw invalid(`RoleArn is not supported for target ${arn}.`);
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(role)) {
    throw invalidParameter('RoleArn', 'Provided Arn is not in correct format.');
  }
}

function checkParameters(target: Target, kind: Kind): void {
  const { Arn: arn, HttpParameters: http, Id: id, SqsParameters: sqs } = target;
  const fifo = kind === 'sqs' && arn!.endsWith('.fifo');
  if (sqs && kind !== 'sqs') throw invalid(`Parameter(s) SqsParameters not supported for target: ${id}.`);
  if (fifo && sqs?.MessageGroupId === undefined) {
    throw invalid(`Parameter(s) MessageGroupId must be specified for target: ${id}.`);
  }
  new Constraints().length('sqsParameters.messageGroupId', sqs?.MessageGroupId, 1, 128).check();
  if (http && kind !== 'api-destination') {
    throw invalid(`Parameter(s) HttpParameters not supported for target: ${id}.`);
  }
  for (const name of Object.keys(http?.HeaderParameters ?? {})) checkHeader(name);
}

/**
 * Source: API Reference, "PutTargets": what another account's bus gets is the event itself, so that nobody there is told
 * of an event that was none.
 */
function checkEventStaysWhole(target: Target, kind: Kind, place: Place): void {
  if (kind !== 'event-bus' || parseArn(target.Arn!)!.account === place.account) return;
  for (const member of ['Input', 'InputPath', 'InputTransformer'] as const) {
    if (target[member] !== undefined) {
      throw invalid(`${member} is not supported for target ${target.Id}: an event bus of another account.`);
    }
  }
}

/** Dead-letter queues are standard queues. */
function checkDeadLetters(arn: string): void {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'sqs' || !RESOURCES.sqs!.test(parsed.resource)) {
    throw invalidParameter('DeadLetterConfig.Arn', 'Provided Arn is not in correct format.');
  }
  if (arn.endsWith('.fifo')) throw invalidParameter('DeadLetterConfig.Arn', 'it is a standard queue.');
}
