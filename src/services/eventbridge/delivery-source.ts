import type { Logger } from '../../base/logger.ts';
import {
  type DeadLetterMessage,
  type DeliverySource,
  type FinalOutcome,
  type PendingDelivery,
  stringAttributes,
} from '../../events/index.ts';
import { type InvocationAttributes, PRINCIPAL } from './invocation.ts';

const LONGEST_BACKOFF_MS = 8 * 60_000;
/** Part of a delay that is left to chance. */
const JITTER = 0.25;

/**
 * How often events are tried, and where they go when that was in vain.
 * Source: EventBridge User Guide, "How EventBridge retries delivering events".
 */
export function eventsSource(logger: Logger): DeliverySource {
  return {
    policy: async (delivery) => {
      const { ageSeconds, deadLetters, retries, ruleArn } = delivery.attributes as InvocationAttributes;
      return {
        maximumRetries: retries,
        maximumAgeSeconds: ageSeconds,
        // Doubling up to 8 minutes: 185 retries take about the 24 hours that an event may be tried for.
        backoffMs: (retry) => Math.min(1000 * 2 ** (retry - 1), LONGEST_BACKOFF_MS),
        jitter: JITTER,
        ...(deadLetters === undefined
          ? {}
          : {
              deadLetter: {
                targetArn: deadLetters,
                message: deadLetter,
                caller: { service: PRINCIPAL, sourceArn: ruleArn, sourceAccount: delivery.account },
              },
            }),
      };
    },
    finished: async (delivery, outcome) => {
      const { deadLetters, ruleArn: rule } = delivery.attributes as InvocationAttributes;
      if (outcome.type === 'delivered' || deadLetters !== undefined) return;
      logger.warn('an event was not delivered', { rule, target: delivery.targetArn, reason: outcome.reason });
    },
  };
}

/** The event, and what is known of the failure. Source: EventBridge User Guide, "Using dead-letter queues". */
function deadLetter(delivery: PendingDelivery, outcome: FinalOutcome): DeadLetterMessage {
  const { event, ruleArn } = delivery.attributes as InvocationAttributes;
  const exhausted = {
    RetriesExhausted: 'MaximumRetryAttempts',
    EventAgeExceeded: 'MaximumEventAgeInSeconds',
    Rejected: undefined,
    Success: undefined,
  }[outcome.condition];
  const failure = outcome.type === 'delivered' ? undefined : outcome;
  return {
    payload: event === undefined ? delivery.payload : Buffer.from(event),
    parameters: {
      messageAttributes: stringAttributes({
        ERROR_CODE: errorCode(failure?.code, outcome.type === 'failed' && outcome.throttled === true),
        ERROR_MESSAGE: failure?.reason || 'The target could not be invoked.',
        ...(exhausted === undefined ? {} : { EXHAUSTED_RETRY_CONDITION: exhausted }),
        // The first try is not a retry.
        RETRY_ATTEMPTS: String(Math.max(delivery.attempts - 1, 0)),
        RULE_ARN: ruleArn,
        TARGET_ARN: delivery.targetArn,
      }),
    },
  };
}

/** EventBridge's own name for what went wrong. */
function errorCode(code: string | undefined, throttled: boolean): string {
  if (code === undefined) return throttled ? 'THROTTLING' : 'INTERNAL_ERROR';
  if (/^[A-Z_]+$/.test(code) && !/^E[A-Z]+$/.test(code)) return code;
  if (/AccessDenied|NotAuthorized|Forbidden|Authorization|KmsAccess/i.test(code)) return 'NO_PERMISSIONS';
  if (/NotFound|NonExistent|NoSuch|DoesNotExist/i.test(code)) return 'NO_RESOURCE';
  if (throttled || /Throttl|TooManyRequests|HTTP_429/i.test(code)) return 'THROTTLING';
  if (/Timeout|TimedOut|ETIMEDOUT/i.test(code)) return 'TIMEOUT';
  if (/^E[A-Z]+$/.test(code)) return 'CONNECTION_FAILURE';
  if (/^HTTP_/.test(code)) return 'ERROR_FROM_TARGET';
  return 'SDK_CLIENT_ERROR';
}
