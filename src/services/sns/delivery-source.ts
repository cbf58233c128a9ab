import type { DeadLetterMessage, DeliverySource, PendingDelivery } from '../../events/index.ts';
import { retryDelay } from './delivery-policy.ts';
import type { MessageEncryption } from './message-encryption.ts';
import type { NotificationAttributes } from './notification-attributes.ts';

/** How often messages are tried, and where they go when that was in vain. */
export function notificationSource(encryption: MessageEncryption): DeliverySource {
  return {
    policy: async (delivery) => {
      const { deadLetters, maximumAge, retry, sealing, waited = 0 } = delivery.attributes as NotificationAttributes;
      if (sealing) await encryption.ready(sealing);
      return {
        maximumRetries: retry.numRetries,
        maximumAgeSeconds: maximumAge + waited / 1000,
        backoffMs: (number) => retryDelay(retry, number),
        ...(deadLetters === undefined
          ? {}
          : { deadLetter: { targetArn: deadLetters, message: (given) => deadLetter(encryption, given) } }),
      };
    },
    payload: ({ attributes, payload }) => {
      const { sealing } = attributes as NotificationAttributes;
      return sealing ? encryption.open(sealing, payload) : payload;
    },
  };
}

/** The message as a queue would have got it. Source: SNS Developer Guide, "Amazon SNS dead-letter queues". */
function deadLetter(
  encryption: MessageEncryption,
  { attributes, parameters, payload }: PendingDelivery,
): DeadLetterMessage {
  const { deadLetterBody, sealing } = attributes as NotificationAttributes;
  const { http: _, ...kept } = parameters ?? {};
  const body = deadLetterBody ?? payload;
  return {
    payload: sealing ? opened(() => encryption.open(sealing, body)) : body,
    ...(deadLetterBody === undefined ? { parameters: kept } : {}),
  };
}

/** A dead letter that nobody can read any more still tells that there was one. */
function opened(open: () => Uint8Array): Uint8Array {
  try {
    return open();
  } catch (error) {
    return Buffer.from(`This message cannot be read: ${(error as Error).message}.`);
  }
}
