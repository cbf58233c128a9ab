import type { DeliveryCaller } from '../../events/index.ts';
import { CUSTOMER_RETRY, MANAGED_RETRY, type RetryPolicy } from './delivery-policy.ts';
import type { Sealing } from './message-encryption.ts';
import { type TopicName, topicArn } from './names.ts';
import type { OutboxDetails } from './outbox/outbox-target.ts';

/** The name under which messages are known to the delivery. */
export const SOURCE = 'sns';
const PRINCIPAL = 'sns.amazonaws.com';

/** What a delivery of a message remembers. */
export interface NotificationAttributes extends Record<string, unknown> {
  readonly retry: RetryPolicy;
  /** Milliseconds that it waited for its turn, which do not count against its age. */
  readonly waited?: number;
  /** Seconds. */
  readonly maximumAge: number;
  readonly deadLetters?: string | undefined;
  /** The dead letter, where it is not what was delivered. */
  readonly deadLetterBody?: Uint8Array | undefined;
  /** Payload and dead letter are encrypted. */
  readonly sealing?: Sealing | undefined;
  readonly outbox?: OutboxDetails;
}

const DAY = 24 * 3600;
export const MANAGED = { retry: MANAGED_RETRY, maximumAge: 23 * DAY } as const;
export const CUSTOMER = { retry: CUSTOMER_RETRY, maximumAge: 6 * 3600 + 600 } as const;

/** In whose name messages are delivered: queues and functions are asked about the topic. */
export function callerOf(topic: TopicName): DeliveryCaller {
  return { service: PRINCIPAL, sourceArn: topicArn(topic), sourceAccount: topic.account };
}
