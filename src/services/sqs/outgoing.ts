import type { MessageAttribute } from '../../events/index.ts';
import type { KeyUser } from '../encryption.ts';
import { invalidParameterValue, missingParameter } from './errors.ts';
import { checkCharacters, messageSize } from './message-checks.ts';
import type { Queue } from './queue.ts';

/** A message that somebody wants to send. */
export interface Outgoing {
  readonly body: string;
  readonly attributes?: Readonly<Record<string, MessageAttribute>> | undefined;
  readonly delaySeconds?: number | undefined;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
  readonly traceHeader?: string | undefined;
  readonly senderId: string;
  /** In whose name a KMS key is used. */
  readonly keyUser: Pick<KeyUser, 'principal' | 'caller'>;
}

/**
 * Checks a message against the queue and returns its size in bytes. Throws InvalidParameterValue, MissingParameter,
 * InvalidMessageContents. Source: SQS API Reference, "SendMessage".
 */
export function checkOutgoing(queue: Queue, message: Outgoing): number {
  const { body, attributes, delaySeconds, deduplicationId, groupId } = message;
  if (body === '') throw missingParameter('MessageBody');
  checkCharacters(body, 'the message body');
  const { settings } = queue.record;
  const size = messageSize(body, attributes);
  if (size > settings.maximumMessageSize) {
    throw invalidParameterValue(
      `One or more parameters are invalid. Reason: Message must be shorter than ${settings.maximumMessageSize} bytes.`,
    );
  }
  if (delaySeconds !== undefined) checkDelay(queue, delaySeconds);
  if (groupId !== undefined) checkToken('MessageGroupId', groupId);
  if (queue.fifo) {
    if (groupId === undefined) throw missingParameter('MessageGroupId');
    if (deduplicationId !== undefined) checkToken('MessageDeduplicationId', deduplicationId);
    else if (settings.contentBasedDeduplication !== true) {
      throw invalidParameterValue(
        'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
      );
    }
  } else if (deduplicationId !== undefined) throw notForThisQueue('MessageDeduplicationId', deduplicationId);
  return size;
}

function checkDelay(queue: Queue, seconds: number): void {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 900) {
    throw invalidParameterValue(
      `Value ${seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.`,
    );
  }
  if (queue.fifo && seconds > 0) throw notForThisQueue('DelaySeconds', seconds);
}

const notForThisQueue = (parameter: string, value: string | number) =>
  invalidParameterValue(
    `Value ${value} for parameter ${parameter} is invalid. Reason: The request include parameter that is not valid for this queue type.`,
  );

/** Source: SQS API Reference, "SendMessage": up to 128 alphanumeric and punctuation characters. */
function checkToken(parameter: string, value: string): void {
  if (/^[\x21-\x7e]{1,128}$/.test(value)) return;
  throw invalidParameterValue(
    `Value ${value} for parameter ${parameter} is invalid. Reason: ${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
  );
}
