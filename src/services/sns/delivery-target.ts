import { ServiceError } from '../../base/errors.ts';
import type {
  Acceptance,
  DeliveryCaller,
  DeliveryTarget,
  MessageAttribute,
  PendingDelivery,
} from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { type Message, messageSize } from './message.ts';
import { endpointArn, isFifo, parseEndpointArn, parseTopicArn, topicArn } from './names.ts';
import { SOURCE } from './notification-attributes.ts';
import type { OutboxDetails } from './outbox/outbox-target.ts';
import { platformPayload } from './platform-payload.ts';
import { publication, publish } from './publication.ts';
import { type ApplicationRecord, type EndpointRecord, keys, type TopicRecord } from './records.ts';
import type { SnsState } from './state.ts';
import { policyOf } from './topic-attributes.ts';

/** Topics as targets of other services, and mobile devices as targets of topics. */
export function snsTarget(state: SnsState): DeliveryTarget {
  return {
    accept: (delivery, transaction) =>
      parseEndpointArn(delivery.targetArn)
        ? acceptPush(state, delivery, transaction)
        : acceptMessage(state, delivery, transaction),
    permits: async (targetArn, caller) => {
      const name = parseTopicArn(targetArn);
      const topic = name && (await state.store.get<TopicRecord>(keys.topic(name)));
      return topic !== undefined && allows(state, topic.value, caller);
    },
  };
}

/** Publishes what another service sends, in the same transaction. */
async function acceptMessage(
  state: SnsState,
  delivery: PendingDelivery,
  transaction: Transaction,
): Promise<Acceptance> {
  const {
    caller = { service: `${delivery.source}.amazonaws.com` },
    parameters = {},
    targetArn,
    traceHeader,
  } = delivery;
  const name = parseTopicArn(targetArn);
  const topic = name && (await transaction.get<TopicRecord>(keys.topic(name)));
  if (!topic) return { type: 'rejected', code: 'NotFound', reason: 'Topic does not exist' };
  if (!(await allows(state, topic.value, caller))) {
    const reason = `the policy of ${targetArn} does not let ${caller.service} publish`;
    return { type: 'rejected', code: 'AuthorizationError', reason };
  }
  const text = Buffer.from(delivery.payload).toString();
  const attributes: Readonly<Record<string, MessageAttribute>> = parameters.messageAttributes ?? {};
  const fifo = isFifo(name.name);
  const message: Message = {
    text,
    subject: parameters.subject,
    attributes,
    groupId: parameters.messageGroupId,
    deduplicationId: fifo ? parameters.messageDeduplicationId : undefined,
    size: messageSize(text, attributes),
  };
  if (text === '') return { type: 'rejected', code: 'InvalidParameter', reason: 'Invalid parameter: Empty message' };
  try {
    await publish(state, transaction, publication(state, name, message, { traceHeader, publisher: { caller } }));
    return { type: 'delivered' };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { type: 'rejected', code: error.code, reason: error.message };
  }
}

async function allows(state: SnsState, topic: TopicRecord, caller: DeliveryCaller): Promise<boolean> {
  if (!state.enforce) return true;
  return state.access.allows({
    action: 'sns:Publish',
    resource: topicArn(topic),
    resourceAccount: topic.account,
    region: topic.region,
    resourcePolicy: policyOf(topic),
    caller,
  });
}

/** A topic's message for a device goes into the outbox. */
async function acceptPush(state: SnsState, delivery: PendingDelivery, transaction: Transaction): Promise<Acceptance> {
  const { account, attributes, payload, region, targetArn } = delivery;
  const name = parseEndpointArn(targetArn)!;
  if (name.account !== account) {
    return { type: 'rejected', code: 'AuthorizationError', reason: 'Endpoint belongs to another account' };
  }
  const endpoint = await transaction.get<EndpointRecord>(keys.endpoint(name));
  if (!endpoint) return { type: 'rejected', code: 'NotFound', reason: 'Endpoint does not exist' };
  const application = await transaction.get<ApplicationRecord>(keys.application(name));
  if (!endpoint.value.enabled) return { type: 'rejected', code: 'EndpointDisabled', reason: 'Endpoint is disabled' };
  if (application?.value.attributes.Enabled === 'false') {
    return { type: 'rejected', code: 'PlatformApplicationDisabled', reason: 'Platform application is disabled' };
  }
  const text = Buffer.from(payload).toString();
  const message: Message = { text, attributes: {}, size: payload.length };
  await state.outbox.add(transaction, {
    account,
    region,
    kind: 'push',
    to: endpointArn(name),
    // Topics send it in the platform's form already.
    body: delivery.source === SOURCE ? text : platformPayload(message, name.platform),
    platform: name.platform,
    deviceToken: endpoint.value.token,
    time: state.clock.now(),
    ...((attributes?.outbox ?? {}) as OutboxDetails),
  });
  return { type: 'delivered' };
}
