import type { DeadLetterMessage, DeliverySource, PendingDelivery } from '../../events/index.ts';
import { retryDelay } from './delivery-policy.ts';
import type { NotificationAttributes } from './publication.ts';

/** How often messages are tried, and where they go when that was in vain. */
export const notificationSource: DeliverySource = {
  policy: async (delivery) => {
    const { deadLetters, maximumAge, retry, waited = 0 } = delivery.attributes as NotificationAttributes;
    return {
      maximumRetries: retry.numRetries,
      maximumAgeSeconds: maximumAge + waited / 1000,
      backoffMs: (number) => retryDelay(retry, number),
      ...(deadLetters === undefined ? {} : { deadLetter: { targetArn: deadLetters, message: deadLetter } }),
    };
  },
};

/** The message as a queue would have got it. Source: SNS Developer Guide, "Amazon SNS dead-letter queues". */
function deadLetter({ attributes, parameters, payload }: PendingDelivery): DeadLetterMessage {
  const { deadLetterBody } = attributes as NotificationAttributes;
  if (deadLetterBody !== undefined) return { payload: Buffer.from(deadLetterBody) };
  const { http: _, ...kept } = parameters ?? {};
  return { payload, parameters: kept };
}
