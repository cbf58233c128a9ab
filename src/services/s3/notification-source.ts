import type { Logger } from '../../base/logger.ts';
import type { DeliverySource } from '../../events/index.ts';

/** How notifications are tried. The target has its own queue; these retries only bridge its being busy. */
export function notificationSource(logger: Logger): DeliverySource {
  return {
    policy: async () => ({
      maximumRetries: 100,
      maximumAgeSeconds: 24 * 3600,
      backoffMs: (retry) => Math.min(1000 * 2 ** (retry - 1), 300_000),
      jitter: 0.5,
    }),
    finished: async (delivery, outcome) => {
      if (outcome.type === 'delivered') return;
      const { condition, reason } = outcome;
      logger.warn('an event notification was given up', { target: delivery.targetArn, condition, reason });
    },
  };
}
