import type { Transaction } from '../store/index.ts';
import type { TargetParameters } from './target-parameters.ts';

/** How often and how long a delivery is tried, and where it goes when that was in vain. */
export interface DeliveryPolicy {
  /** Retries after the first attempt. */
  readonly maximumRetries: number;
  /** Oldest age of an event that is still tried, seconds. */
  readonly maximumAgeSeconds: number;
  /** Delay before retry n (1-based), in milliseconds. */
  readonly backoffMs: (retry: number) => number;
  /** Delay after the n-th throttled try in a row (1-based); doubling from 1 s to 5 min unless told. */
  readonly throttleBackoffMs?: (throttle: number) => number;
  /** Up to this part of a delay (0 to 1) is taken off at random, so that retries do not come all at once; 0 unless told. */
  readonly jitter?: number;
  /** Where it goes in the end when it was not delivered. */
  readonly deadLetter?: DeadLetterPolicy;
}

/** A dead-letter target, and the message that is sent there. */
export interface DeadLetterPolicy {
  readonly targetArn: string;
  /** In whose name it is sent; the delivery's own unless told. */
  readonly caller?: DeliveryCaller;
  /** The message; the delivery's own payload and parameters unless told. */
  message?(delivery: PendingDelivery, outcome: FinalOutcome): DeadLetterMessage;
}

export interface DeadLetterMessage {
  readonly payload: Uint8Array;
  readonly parameters?: TargetParameters;
}

/** In whose name an event is delivered: what the target's policy, or the role, is asked about. */
export interface DeliveryCaller {
  /** The sending service's principal, e.g. `events.amazonaws.com`. */
  readonly service: string;
  /** ARN of the rule, topic, bucket … that sends. */
  readonly sourceArn?: string | undefined;
  readonly sourceAccount?: string | undefined;
  /** A role that the service assumes for it; then the role's policies decide. */
  readonly roleArn?: string | undefined;
}

/** An event on its way to one target. Plain data: it is kept in the store until it is delivered or given up. */
export interface DeliveryRequest {
  /** Who sends: names a registered `DeliverySource` (policy and what to do at the end). */
  readonly source: string;
  /** An ARN, or a URI (`https://…`, `mailto:…`). */
  readonly targetArn: string;
  readonly payload: Uint8Array;
  readonly account: string;
  readonly region: string;
  /** What the target is told besides the payload. */
  readonly parameters?: TargetParameters;
  readonly caller?: DeliveryCaller;
  /** `X-Amzn-Trace-Id` of the request that caused the event: a chain of requests is known by it. */
  readonly traceHeader?: string | undefined;
  /** Deliveries of a source to a target with the same key are made one after the other, in the order they were enqueued. */
  readonly orderingKey?: string;
  /** What the source needs to remember, plain data. */
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** Epoch ms before which it is not tried. */
  readonly notBefore?: number;
}

export interface PendingDelivery extends DeliveryRequest {
  /** Ids sort in the order in which deliveries were enqueued. */
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
    /**
     * Worth another try, if the policy has one left. `code` names the error (`SDK_CLIENT_ERROR`, an exception's name).
     * `throttled` tries do not count as attempts but age. `retryAfterMs`: the target asked to be left alone that long.
     */
    | {
        readonly type: 'failed';
        readonly reason: string;
        readonly code?: string;
        readonly throttled?: boolean;
        readonly retryAfterMs?: number;
      }
    /** Not worth another try: the target is gone or refuses. */
    | { readonly type: 'rejected'; readonly reason: string; readonly code?: string }
  );

/** What came of handing a delivery over inside a transaction. */
export type Acceptance = DeliveryOutcome & {
  /** Called with the revision of the commit when it is durable. */
  readonly committed?: (revision: number) => void;
};

/** A kind of target. It has `accept`, `deliver` or both. */
export interface DeliveryTarget {
  /**
   * Takes the delivery over within the store: what it writes to `transaction` and the removal of the delivery become
   * durable together, so it happens exactly once. Runs again when the transaction does, so it has no other effects, and
   * it writes nothing unless it answers `delivered`; what it wrote before it throws is not kept. `undefined`: this one has
   * to be delivered instead.
   */
  accept?(delivery: PendingDelivery, transaction: Transaction): Promise<Acceptance | undefined>;
  /** Delivers to somewhere outside of the store; at least once. */
  deliver?(delivery: PendingDelivery, signal: AbortSignal): Promise<DeliveryOutcome>;
  /** True when the target is there and would let the caller in; asked when a target is configured. */
  permits?(targetArn: string, caller: DeliveryCaller): Promise<boolean>;
}

/** A kind of sender. */
export interface DeliverySource {
  policy(delivery: PendingDelivery): Promise<DeliveryPolicy>;
  /** What this try carries, when that depends on the try; the delivery's own payload unless told. */
  payload?(delivery: PendingDelivery): Uint8Array;
  /**
   * Told of the end, in the transaction that removes the delivery: what it writes there happens exactly once. Runs again
   * when the transaction does, so it has no other effects.
   */
  finished?(delivery: PendingDelivery, outcome: FinalOutcome, transaction: Transaction): Promise<void>;
}

export type FinalOutcome = DeliveryOutcome & {
  /** Why it ended: success, retries used up, too old, or refused by the target. */
  readonly condition: 'Success' | 'RetriesExhausted' | 'EventAgeExceeded' | 'Rejected';
};

/** The one way that an event reaches a target: durable, retried, dead-lettered. */
export interface Delivery {
  /** `kind`: an ARN's service name (`lambda`, `sqs`, …) or a URI's scheme (`https`). Loaded when first needed. */
  registerTarget(kind: string, load: () => Promise<DeliveryTarget>): void;
  /** Loaded when a delivery of this source is first tried. */
  registerSource(name: string, load: () => Promise<DeliverySource>): void;
  /** True when targets of this kind can be delivered to; others are refused by name when configured. */
  supports(target: string): boolean;
  /** True when the target is there and lets the caller in. */
  permits(target: string, caller: DeliveryCaller): Promise<boolean>;
  /** Adds the delivery in the caller's transaction: it happens if, and only if, that commits. Returns its id. */
  enqueue(transaction: Transaction, request: DeliveryRequest): string;
  /** Delivers what a previous run left, then what comes. */
  start(): Promise<void>;
  /** Lets attempts under way end (bounded), then stops; the rest stays for the next start. */
  close(): Promise<void>;
}
