import type { Transaction } from '../store/index.ts';
import type {
  Acceptance,
  DeliveryOutcome,
  DeliveryPolicy,
  DeliverySource,
  DeliveryTarget,
  PendingDelivery,
} from './delivery.ts';

/** What the store keeps of a delivery. Written when it is enqueued and after each try that did not end it. */
export interface DeliveryRecord extends PendingDelivery {
  /** Throttled tries since the last real attempt. */
  readonly throttles?: number;
  /** How the last try failed: told to the source when the event grows too old. */
  readonly lastOutcome?: DeliveryOutcome;
}

const MAX_THROTTLE_BACKOFF_MS = 300_000;
/** Bytes. */
const MAX_KEPT_RESPONSE = 256 * 1024;

/** One try of a delivery. */
export interface Attempt {
  readonly delivery: DeliveryRecord;
  readonly source: DeliverySource;
  readonly policy: DeliveryPolicy;
}

/** A target threw while it took a delivery over. */
export class AcceptError extends Error {
  constructor(cause: unknown) {
    super('a target could not take a delivery over', { cause });
    this.name = 'AcceptError';
  }
}

export async function accept(
  target: DeliveryTarget,
  attempt: Attempt,
  transaction: Transaction,
): Promise<Acceptance | undefined> {
  try {
    return await target.accept!(carried(attempt), transaction);
  } catch (error) {
    throw new AcceptError(error);
  }
}

/** The delivery as the target sees it in this try. */
export function carried({ delivery, source }: Attempt): PendingDelivery {
  return source.payload ? { ...delivery, payload: source.payload(delivery) } : delivery;
}

/** Epoch ms at which the event is too old. */
export const expiryOf = ({ delivery, policy }: Attempt): number =>
  delivery.enqueuedAt + policy.maximumAgeSeconds * 1000;

/** What is worth keeping of a failed try: a long answer would be written again at each of them. */
export function shortened(outcome: DeliveryOutcome): DeliveryOutcome {
  if ((outcome.response?.length ?? 0) <= MAX_KEPT_RESPONSE) return outcome;
  const { response: _, ...rest } = outcome;
  return rest as DeliveryOutcome;
}

export function throttleBackoff(policy: DeliveryPolicy, throttle: number): number {
  return policy.throttleBackoffMs?.(throttle) ?? Math.min(1000 * 2 ** (throttle - 1), MAX_THROTTLE_BACKOFF_MS);
}
