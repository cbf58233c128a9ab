import type { Transaction } from '../store/index.ts';

/** How often and how long a delivery is tried. */
export interface DeliveryPolicy {
  /** Retries after the first attempt. */
  readonly maximumRetries: number;
  /** Oldest age of an event that is still tried, seconds. */
  readonly maximumAgeSeconds: number;
  /** Delay before retry n (1-based), in milliseconds. */
  readonly backoffMs: (retry: number) => number;
  /** Delay after the n-th throttled try in a row (1-based); doubling from 1 s to 5 min unless told. */
  readonly throttleBackoffMs?: (throttle: number) => number;
}

/** An event on its way to one target. Plain data: it is kept in the store until it is delivered or given up. */
export interface DeliveryRequest {
  /** Who sends: names a registered `DeliverySource` (policy and what to do at the end). */
  readonly source: string;
  readonly targetArn: string;
  readonly payload: Uint8Array;
  readonly account: string;
  readonly region: string;
  /** What the source needs to remember, plain data. */
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** Epoch ms before which it is not tried. */
  readonly notBefore?: number;
}

export interface PendingDelivery extends DeliveryRequest {
  readonly id: string;
  /** Epoch ms. */
  readonly enqueuedAt: number;
  /** Attempts made so far. */
  readonly attempts: number;
}

/** What a target gave back besides the outcome itself. */
export interface DeliveryResponse {
  readonly response?: Uint8Array;
  /** What the source needs to know of this try, plain data. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export type DeliveryOutcome = DeliveryResponse &
  (
    | { readonly type: 'delivered' }
    /** Worth another try, if the policy has one left. `throttled` tries do not count as attempts but age. */
    | { readonly type: 'failed'; readonly reason: string; readonly throttled?: boolean }
    /** Not worth another try: the target is gone or refuses. */
    | { readonly type: 'rejected'; readonly reason: string }
  );

/** A kind of target, registered under its ARN's service name (`lambda`, `sqs`, …). */
export interface DeliveryTarget {
  deliver(delivery: PendingDelivery, signal: AbortSignal): Promise<DeliveryOutcome>;
}

/** A kind of sender. `finished` runs once, after the last attempt, with the delivery still in the store. */
export interface DeliverySource {
  policy(delivery: PendingDelivery): Promise<DeliveryPolicy>;
  finished(delivery: PendingDelivery, outcome: FinalOutcome): Promise<void>;
}

export type FinalOutcome = DeliveryOutcome & {
  /** Why it ended: success, retries used up, too old, or refused by the target. */
  readonly condition: 'Success' | 'RetriesExhausted' | 'EventAgeExceeded' | 'Rejected';
};

/** The one way that an event reaches a target ARN: durable, retried, dead-lettered. */
export interface Delivery {
  registerTarget(service: string, target: DeliveryTarget): void;
  registerSource(name: string, source: DeliverySource): void;
  /** True when ARNs of this service can be delivered to; others are refused by name when configured. */
  supports(targetArn: string): boolean;
  /** Adds the delivery in the caller's transaction: it happens if, and only if, that commits. Returns its id. */
  enqueue(transaction: Transaction, request: DeliveryRequest): string;
  /** Delivers what a previous run left, then what comes. */
  start(): Promise<void>;
  /** Lets attempts under way end (bounded), then stops; the rest stays for the next start. */
  close(): Promise<void>;
}
