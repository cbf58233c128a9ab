import type { Logger } from '../base/logger.ts';
import type { DeadLetterPolicy, DeliveryRequest, DeliverySource, FinalOutcome, PendingDelivery } from './delivery.ts';

/** The name under which dead letters are known to the delivery. */
export const DEAD_LETTER_SOURCE = 'dead-letter';

/** Retries of a dead letter: half a minute apart, for an hour. */
const RETRIES = 120;
const BACKOFF_MS = 30_000;
const MAXIMUM_AGE_SECONDS = 3600;

/** The dead letter of a delivery that ended in vain. */
export function deadLetterRequest(
  policy: DeadLetterPolicy,
  delivery: PendingDelivery,
  outcome: FinalOutcome,
): DeliveryRequest {
  const { account, parameters, payload, region, traceHeader } = delivery;
  const caller = policy.caller ?? delivery.caller;
  const message = policy.message?.(delivery, outcome) ?? {
    payload,
    ...(parameters === undefined ? {} : { parameters }),
  };
  return {
    source: DEAD_LETTER_SOURCE,
    targetArn: policy.targetArn,
    account,
    region,
    ...message,
    ...(caller === undefined ? {} : { caller }),
    ...(traceHeader === undefined ? {} : { traceHeader }),
    ...(delivery.orderingKey === undefined ? {} : { orderingKey: delivery.orderingKey }),
  };
}

/** Dead letters have none of their own: what cannot be delivered is told in the log. */
export function deadLetterSource(logger: Logger): DeliverySource {
  return {
    policy: async () => ({
      maximumRetries: RETRIES,
      maximumAgeSeconds: MAXIMUM_AGE_SECONDS,
      backoffMs: () => BACKOFF_MS,
    }),
    finished: async (delivery, outcome) => {
      if (outcome.type === 'delivered') return;
      logger.warn('a dead letter could not be delivered', { target: delivery.targetArn, reason: outcome.reason });
    },
  };
}
