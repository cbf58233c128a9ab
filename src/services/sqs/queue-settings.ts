import { ServiceError } from '../../base/errors.ts';
import { invalidAttributeName, invalidAttributeValue, invalidParameterValue } from './errors.ts';
import { isFifo, parseQueueArn, type QueueName } from './names.ts';
import type { QueueSettings, RedriveAllowPolicy, RedrivePolicy } from './records.ts';

const MAX_SOURCE_QUEUES = 10;
/** Source: SQS Developer Guide, "Amazon SQS policy quotas". */
export const MAX_POLICY_BYTES = 8192;

/** Source of the defaults and ranges: SQS API Reference, "SetQueueAttributes". */
export const DEFAULT_SETTINGS: QueueSettings = {
  delaySeconds: 0,
  maximumMessageSize: 1_048_576,
  messageRetentionPeriod: 345_600,
  receiveMessageWaitTimeSeconds: 0,
  visibilityTimeout: 30,
  sqsManagedSseEnabled: true,
};

export const DEFAULT_FIFO_SETTINGS: QueueSettings = {
  ...DEFAULT_SETTINGS,
  contentBasedDeduplication: false,
  deduplicationScope: 'queue',
  fifoThroughputLimit: 'perQueue',
};

const READ_ONLY = new Set([
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesDelayed',
  'ApproximateNumberOfMessagesNotVisible',
  'CreatedTimestamp',
  'LastModifiedTimestamp',
  'QueueArn',
]);

/** The settings with these attributes changed. Throws InvalidAttributeName, InvalidAttributeValue. */
export function changeSettings(
  before: QueueSettings,
  attributes: Readonly<Record<string, string>>,
  name: QueueName,
): QueueSettings {
  let settings = before;
  for (const [attribute, value] of Object.entries(attributes)) {
    if (READ_ONLY.has(attribute)) throw invalidAttributeName(attribute);
    settings = { ...settings, ...readAttribute(attribute, value, name) };
  }
  if (attributes.KmsMasterKeyId) settings = { ...settings, sqsManagedSseEnabled: false };
  checkTogether(settings, attributes);
  return settings;
}

function checkTogether(settings: QueueSettings, attributes: Readonly<Record<string, string>>): void {
  if (attributes.KmsMasterKeyId && attributes.SqsManagedSseEnabled === 'true') {
    throw new ServiceError(
      'InvalidAttributeName',
      'You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.',
    );
  }
  if (settings.fifoThroughputLimit === 'perMessageGroupId' && settings.deduplicationScope === 'queue') {
    throw invalidParameterValue(
      'The perMessageGroupId value for FifoThroughputLimit is allowed only when the value for DeduplicationScope is messageGroup.',
    );
  }
}

function readAttribute(attribute: string, value: string, name: QueueName): Partial<QueueSettings> {
  const number = (least: number, most: number): number => {
    if (!/^\d{1,9}$/.test(value) || Number(value) < least || Number(value) > most)
      throw invalidAttributeValue(attribute);
    return Number(value);
  };
  const bool = (): boolean => {
    if (!/^(true|false)$/i.test(value)) throw invalidAttributeValue(attribute);
    return value.toLowerCase() === 'true';
  };
  const fifoOnly = (): void => {
    if (!isFifo(name.name)) throw invalidAttributeName(attribute);
  };
  switch (attribute) {
    case 'DelaySeconds':
      return { delaySeconds: number(0, 900) };
    case 'MaximumMessageSize':
      return { maximumMessageSize: number(1024, 1_048_576) };
    case 'MessageRetentionPeriod':
      return { messageRetentionPeriod: number(60, 1_209_600) };
    case 'ReceiveMessageWaitTimeSeconds':
      return { receiveMessageWaitTimeSeconds: number(0, 20) };
    case 'VisibilityTimeout':
      return { visibilityTimeout: number(0, 43_200) };
    case 'Policy':
      return { policy: readPolicy(value) };
    case 'RedrivePolicy':
      return { redrivePolicy: value === '' ? undefined : readRedrivePolicy(value, name) };
    case 'RedriveAllowPolicy':
      return { redriveAllowPolicy: value === '' ? undefined : readRedriveAllowPolicy(value) };
    case 'KmsMasterKeyId':
      return { kmsMasterKeyId: value === '' ? undefined : value };
    case 'KmsDataKeyReusePeriodSeconds':
      return { kmsDataKeyReusePeriodSeconds: number(60, 86_400) };
    case 'SqsManagedSseEnabled':
      return bool() ? { sqsManagedSseEnabled: true, kmsMasterKeyId: undefined } : { sqsManagedSseEnabled: false };
    case 'FifoQueue':
      fifoOnly();
      if (!bool()) throw invalidAttributeValue(attribute);
      return {};
    case 'ContentBasedDeduplication':
      fifoOnly();
      return { contentBasedDeduplication: bool() };
    case 'DeduplicationScope':
      fifoOnly();
      if (value !== 'queue' && value !== 'messageGroup') throw invalidAttributeValue(attribute);
      return { deduplicationScope: value };
    case 'FifoThroughputLimit':
      fifoOnly();
      if (value !== 'perQueue' && value !== 'perMessageGroupId') throw invalidAttributeValue(attribute);
      return { fifoThroughputLimit: value };
    default:
      throw invalidAttributeName(attribute);
  }
}

function readPolicy(value: string): string | undefined {
  if (value === '') return undefined;
  if (Buffer.byteLength(value) > MAX_POLICY_BYTES) throw invalidAttributeValue('Policy');
  const statements = [parseObject(value)?.Statement].flat();
  if (statements.length === 0 || !statements.every(isStatement)) throw invalidAttributeValue('Policy');
  return value;
}

/** Has what each statement about a queue must have. */
function isStatement(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { Action, Effect, NotAction, NotPrincipal, Principal } = value as Readonly<Record<string, unknown>>;
  return (
    (Effect === 'Allow' || Effect === 'Deny') && Boolean(Principal ?? NotPrincipal) && Boolean(Action ?? NotAction)
  );
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Source: SQS Developer Guide, "Using dead-letter queues in Amazon SQS". */
function readRedrivePolicy(text: string, name: QueueName): RedrivePolicy {
  const refused = (reason: string) =>
    invalidParameterValue(`Value ${text} for parameter RedrivePolicy is invalid. Reason: ${reason}`);
  const policy = parseObject(text);
  if (!policy) throw refused('Redrive policy is not a valid JSON map.');
  const { deadLetterTargetArn, maxReceiveCount } = policy;
  if (deadLetterTargetArn === undefined || maxReceiveCount === undefined) {
    throw refused(
      `Redrive policy does not contain mandatory attribute: ${maxReceiveCount === undefined ? 'maxReceiveCount' : 'deadLetterTargetArn'}.`,
    );
  }
  const count = Number(maxReceiveCount);
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw refused('Invalid value for maxReceiveCount: must be an integer from 1 to 1000.');
  }
  const target = typeof deadLetterTargetArn === 'string' ? parseQueueArn(deadLetterTargetArn) : undefined;
  if (!target) throw refused('Invalid value for deadLetterTargetArn.');
  if (target.account !== name.account || target.region !== name.region) {
    throw refused('Dead letter target owner should be same as the source.');
  }
  if (isFifo(target.name) !== isFifo(name.name)) {
    throw refused('Dead-letter queue must be same type of queue as the source.');
  }
  return { deadLetterTargetArn: String(deadLetterTargetArn), maxReceiveCount: count };
}

function readRedriveAllowPolicy(text: string): RedriveAllowPolicy {
  const refused = (reason: string) =>
    invalidParameterValue(`Value ${text} for parameter RedriveAllowPolicy is invalid. Reason: ${reason}`);
  const policy = parseObject(text);
  if (!policy) throw refused('The redrive allow policy is not a valid JSON map.');
  const { redrivePermission, sourceQueueArns } = policy;
  if (redrivePermission !== 'allowAll' && redrivePermission !== 'denyAll' && redrivePermission !== 'byQueue') {
    throw refused('Redrive permission must be allowAll, denyAll or byQueue.');
  }
  if (redrivePermission !== 'byQueue') {
    if (sourceQueueArns !== undefined) throw refused('sourceQueueArns is allowed with byQueue only.');
    return { redrivePermission };
  }
  const arns = Array.isArray(sourceQueueArns) ? sourceQueueArns.map(String) : [];
  if (arns.length === 0 || arns.length > MAX_SOURCE_QUEUES || !arns.every((arn) => parseQueueArn(arn))) {
    throw refused(`byQueue needs 1 to ${MAX_SOURCE_QUEUES} ARNs of queues in sourceQueueArns.`);
  }
  return { redrivePermission, sourceQueueArns: arns };
}

/** The settings as GetQueueAttributes shows them; what is not set is left out. */
export function shownSettings(settings: QueueSettings, name: QueueName): Record<string, string> {
  const fifo = isFifo(name.name);
  const shown: Record<string, string | number | boolean | undefined> = {
    VisibilityTimeout: settings.visibilityTimeout,
    MaximumMessageSize: settings.maximumMessageSize,
    MessageRetentionPeriod: settings.messageRetentionPeriod,
    DelaySeconds: settings.delaySeconds,
    ReceiveMessageWaitTimeSeconds: settings.receiveMessageWaitTimeSeconds,
    Policy: settings.policy,
    RedrivePolicy: settings.redrivePolicy && JSON.stringify(settings.redrivePolicy),
    RedriveAllowPolicy: settings.redriveAllowPolicy && JSON.stringify(settings.redriveAllowPolicy),
    KmsMasterKeyId: settings.kmsMasterKeyId,
    KmsDataKeyReusePeriodSeconds:
      settings.kmsMasterKeyId === undefined
        ? settings.kmsDataKeyReusePeriodSeconds
        : (settings.kmsDataKeyReusePeriodSeconds ?? 300),
    SqsManagedSseEnabled: settings.sqsManagedSseEnabled ?? false,
    FifoQueue: fifo ? true : undefined,
    ContentBasedDeduplication: fifo ? settings.contentBasedDeduplication : undefined,
    DeduplicationScope: fifo ? settings.deduplicationScope : undefined,
    FifoThroughputLimit: fifo ? settings.fifoThroughputLimit : undefined,
  };
  return Object.fromEntries(
    Object.entries(shown).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

/** Attributes without those that are not set: older clients send them. */
export function givenAttributes(
  given: Readonly<Record<string, string | undefined>> | undefined,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
