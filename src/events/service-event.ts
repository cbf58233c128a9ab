import type { Transaction } from '../store/index.ts';
import type { Delivery, DeliverySource } from './delivery.ts';

/** The name under which events of services are known to the delivery. */
export const SERVICE_EVENT_SOURCE = 'service-event';

/** Something that a service tells the account's default event bus. */
export interface ServiceEvent {
  /** `aws.s3` */
  readonly source: string;
  /** `Object Created` */
  readonly detailType: string;
  readonly resources: readonly string[];
  readonly detail: unknown;
  readonly account: string;
  readonly region: string;
  /** Epoch ms; now unless told. */
  readonly time?: number;
  readonly traceHeader?: string | undefined;
}

export interface ServiceEventParts {
  readonly delivery: Pick<Delivery, 'enqueue'>;
  readonly clock: { now(): number };
  readonly random: { uuid(): string };
}

/**
 * Tells the default event bus, if and only if the transaction commits.
 * Source: EventBridge User Guide, "AWS service event metadata".
 */
export function emitServiceEvent(parts: ServiceEventParts, transaction: Transaction, event: ServiceEvent): void {
  const { account, region } = event;
  const time = new Date(event.time ?? parts.clock.now()).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const envelope = {
    version: '0',
    id: parts.random.uuid(),
    'detail-type': event.detailType,
    source: event.source,
    account,
    time,
    region,
    resources: event.resources,
    detail: event.detail,
  };
  parts.delivery.enqueue(transaction, {
    source: SERVICE_EVENT_SOURCE,
    targetArn: `arn:aws:events:${region}:${account}:event-bus/default`,
    payload: Buffer.from(JSON.stringify(envelope)),
    account,
    region,
    caller: { service: `${event.source.replace(/^aws\./, '')}.amazonaws.com`, sourceAccount: account },
    ...(event.traceHeader === undefined ? {} : { traceHeader: event.traceHeader }),
  });
}

/** The bus is in the store, so that a try fails only with it. */
export function serviceEventSource(): DeliverySource {
  return {
    policy: async () => ({ maximumRetries: 10, maximumAgeSeconds: 24 * 3600, backoffMs: (retry) => retry * 1000 }),
  };
}
