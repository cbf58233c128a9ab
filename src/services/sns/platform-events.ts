import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import { messageSize } from './message.ts';
import { applicationArn, type EndpointName, endpointArn, parseTopicArn } from './names.ts';
import { publication, publish } from './publication.ts';
import type { ApplicationRecord } from './records.ts';
import type { SnsState } from './state.ts';

export type PlatformEvent = 'EndpointCreated' | 'EndpointDeleted' | 'EndpointUpdated';

/**
 * Tells the topic that a platform application names for it about a change of a device.
 * Source: SNS Developer Guide, "Amazon SNS application event notifications".
 */
export async function emitPlatformEvent(
  state: SnsState,
  transaction: Transaction,
  application: ApplicationRecord,
  event: PlatformEvent,
  endpoint: EndpointName,
): Promise<void> {
  const arn = application.attributes[`Event${event}`];
  const topic = arn ? parseTopicArn(arn) : undefined;
  if (!topic) return;
  const text = JSON.stringify({
    EventType: event,
    EndpointArn: endpointArn(endpoint),
    Resource: applicationArn(application),
    Service: 'SNS',
    Time: new Date(state.clock.now()).toISOString(),
  });
  const message = { text, attributes: {}, size: messageSize(text, {}) };
  try {
    await publish(
      state,
      transaction,
      publication(state, topic, message, { publisher: { caller: { service: 'sns.amazonaws.com' } } }),
    );
  } catch (error) {
    // A topic that is gone keeps nobody from changing devices.
    if (!(error instanceof ServiceError)) throw error;
    state.logger.warn('an event of a mobile device was not published', { topic: arn, reason: error.message });
  }
}
