import { parseArn } from '../../base/arn.ts';
import {
  type DeadLetterMessage,
  type DeliverySource,
  type FinalOutcome,
  type PendingDelivery,
  stringAttributes,
} from '../../events/index.ts';
import { executionId, type InvocationAttributes, payloadOfTry } from './invocation.ts';
import { kindOf } from './target.ts';

const LONGEST_BACKOFF_MS = 8 * 60_000;
/** Bytes of a message of SQS. */
const LARGEST_BODY = 256 * 1024;

/** How often invocations are tried, and where they go when that was in vain. `began` is told of each try. */
export function schedulerSource(began: (deliveryId: string) => void): DeliverySource {
  return {
    policy: async (delivery) => {
      began(delivery.id);
      const { ageSeconds, deadLetters, retries } = delivery.attributes as InvocationAttributes;
      return {
        maximumRetries: retries,
        maximumAgeSeconds: ageSeconds,
        // Doubling up to 8 minutes: 185 retries take almost the 24 hours that an event may be tried for.
        backoffMs: (retry) => Math.min(1000 * 2 ** (retry - 1), LONGEST_BACKOFF_MS),
        ...(deadLetters === undefined ? {} : { deadLetter: { targetArn: deadLetters, message: deadLetter } }),
      };
    },
    payload: payloadOfTry,
  };
}

/**
 * The request that failed, as the target's API takes it, and what is known of the failure.
 * Source: EventBridge Scheduler User Guide, "Configuring a schedule's dead-letter queue".
 */
function deadLetter(delivery: PendingDelivery, outcome: FinalOutcome): DeadLetterMessage {
  const { scheduleArn, scheduledTime } = delivery.attributes as InvocationAttributes;
  // The delivery counts the tries that were made; the last one of them is what the letter is about.
  const last = { ...delivery, attempts: Math.max(delivery.attempts - 1, 0) };
  const body = JSON.stringify(request(last));
  const truncated = Buffer.byteLength(body) > LARGEST_BODY;
  const exhausted = {
    RetriesExhausted: 'MaximumRetryAttempts',
    EventAgeExceeded: 'MaximumEventAgeInSeconds',
    Rejected: undefined,
    Success: undefined,
  }[outcome.condition];
  const failure = outcome.type === 'delivered' ? undefined : outcome;
  return {
    payload: truncated ? Buffer.from(body).subarray(0, LARGEST_BODY / 2) : Buffer.from(body),
    parameters: {
      messageAttributes: stringAttributes({
        ERROR_CODE: failure?.code ?? 'InternalError',
        ERROR_MESSAGE: failure?.reason || 'The target could not be invoked.',
        EXECUTION_ID: executionId(last),
        ...(exhausted === undefined ? {} : { EXHAUSTED_RETRY_CONDITION: exhausted }),
        IS_PAYLOAD_TRUNCATED: String(truncated),
        RETRY_ATTEMPTS: String(last.attempts),
        SCHEDULED_TIME: scheduledTime,
        SCHEDULE_ARN: scheduleArn,
        TARGET_ARN: delivery.targetArn,
      }),
    },
  };
}

/** The request to the API behind a templated target. */
function request(delivery: PendingDelivery): object {
  const { parameters, targetArn } = delivery;
  const text = Buffer.from(payloadOfTry(delivery)).toString();
  switch (kindOf(targetArn)) {
    case 'lambda':
      return { FunctionName: targetArn, InvocationType: 'Event', Payload: text };
    case 'sns':
      return { Message: text, TopicArn: targetArn };
    case 'sqs': {
      const { account, region, resource } = parseArn(targetArn)!;
      const group = parameters?.messageGroupId;
      return {
        MessageBody: text,
        ...(group === undefined ? {} : { MessageGroupId: group }),
        QueueUrl: `https://sqs.${region}.amazonaws.com/${account}/${resource}`,
      };
    }
    case 'events': {
      const event = JSON.parse(text);
      const entry = { Detail: JSON.stringify(event.detail), DetailType: event['detail-type'], Source: event.source };
      return { Entries: [{ ...entry, EventBusName: targetArn }] };
    }
  }
}
