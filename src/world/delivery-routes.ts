import { type Delivery, httpTarget, SERVICE_EVENT_SOURCE, serviceEventSource } from '../events/index.ts';
import type { LambdaSource } from '../services/lambda/index.ts';
import type { Services } from './services.ts';

const LAMBDA_SOURCES: readonly LambdaSource[] = ['lambda-async', 'lambda-destination'];

/** Tells the delivery who takes events and who sends them; each is made when its first delivery is tried. */
export function connectDelivery(delivery: Delivery, services: Services): void {
  const { eventbridge, lambda, logs, s3, scheduler, sns, sqs } = services;
  delivery.registerTarget('lambda', async () => (await lambda()).deliveryTarget);
  delivery.registerTarget('sqs', async () => (await sqs()).deliveryTarget);
  delivery.registerTarget('sns', async () => (await sns()).deliveryTarget);
  delivery.registerTarget('events', async () => (await eventbridge()).deliveryTarget);
  delivery.registerTarget('logs', async () => (await logs()).deliveryTarget);
  delivery.registerTarget('s3', async () => (await s3()).deliveryTarget);
  for (const scheme of ['http', 'https']) {
    delivery.registerTarget(scheme, async () => httpTarget());
  }
  for (const scheme of ['mailto', 'tel']) delivery.registerTarget(scheme, async () => (await sns()).outboxTarget);
  for (const name of LAMBDA_SOURCES) {
    delivery.registerSource(name, async () => (await lambda()).deliverySources[name]);
  }
  delivery.registerSource('s3', async () => (await s3()).deliverySource);
  delivery.registerSource('sns', async () => (await sns()).deliverySource);
  delivery.registerSource('events', async () => (await eventbridge()).deliverySource);
  delivery.registerSource('scheduler', async () => (await scheduler()).deliverySource);
  delivery.registerSource(SERVICE_EVENT_SOURCE, async () => serviceEventSource());
}
