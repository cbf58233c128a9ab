import type { DeliveryRequest } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { effectiveDelivery } from './delivery-policy.ts';
import { type Envelope, envelopeText, lambdaEvent } from './envelope.ts';
import { httpHeaders, senderOf } from './message-details.ts';
import { subscriptionArn, topicArn } from './names.ts';
import { CUSTOMER, callerOf, MANAGED, type NotificationAttributes, SOURCE } from './notification-attributes.ts';
import { keys, type SubscriptionRecord, type TopicRecord } from './records.ts';
import type { SnsState } from './state.ts';
import { noteChange } from './subscribers.ts';
import { subscriptionRulesOf } from './subscription-attributes.ts';
import { deliveryRulesOf } from './topic-attributes.ts';
import { confirmationUrl } from './urls.ts';

/** Source: API Reference, "Subscribe": tokens are valid for two days; a subscription that is not confirmed then is deleted. */
const VALID_MS = 48 * 3600 * 1000;
/** Hexadecimal digits of a token, as AWS has them. */
const TOKEN_DIGITS = 288;

/** A token that confirms a subscription, for as long as it is valid. */
export function newConfirmation({
  clock,
  random,
}: Pick<SnsState, 'clock' | 'random'>): NonNullable<SubscriptionRecord['pending']> {
  return { token: random.hex(TOKEN_DIGITS), until: clock.now() + VALID_MS };
}

/** The entry by which a subscription is deleted when nobody confirms it. */
export const expiryItem = ({ account, id, name, region }: SubscriptionRecord): readonly string[] => [
  account,
  region,
  name,
  id,
];

/** What asks an endpoint to confirm, signed. */
export async function confirmationRequest(
  state: SnsState,
  topic: TopicRecord,
  subscription: SubscriptionRecord,
  type: 'SubscriptionConfirmation' | 'UnsubscribeConfirmation' = 'SubscriptionConfirmation',
): Promise<DeliveryRequest> {
  const arn = topicArn(topic);
  const { token } = subscription.pending!;
  const url = confirmationUrl(state, arn, token);
  const envelope = await state.signer.signed(
    {
      Type: type,
      MessageId: state.random.uuid(),
      Token: token,
      TopicArn: arn,
      Message:
        type === 'SubscriptionConfirmation'
          ? `You have chosen to subscribe to the topic ${arn}.\nTo confirm the subscription, visit the SubscribeURL included in this message.`
          : `You have chosen to deactivate subscription ${subscriptionArn(subscription)}.\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message.`,
      SubscribeURL: url,
      Timestamp: new Date(state.clock.now()).toISOString(),
    },
    topic.attributes.SignatureVersion ?? '1',
    topic.region,
  );
  return {
    source: SOURCE,
    account: topic.account,
    region: topic.region,
    caller: callerOf(topic),
    ...request(topic, subscription, envelope, url),
  };
}

function request(
  topic: TopicRecord,
  subscription: SubscriptionRecord,
  envelope: Envelope,
  url: string,
): Pick<DeliveryRequest, 'parameters' | 'payload' | 'targetArn'> & { readonly attributes: NotificationAttributes } {
  const { endpoint, local, protocol } = subscription;
  const body = Buffer.from(envelopeText(envelope));
  switch (protocol) {
    case 'http':
    case 'https': {
      const { retry } = effectiveDelivery(deliveryRulesOf(topic), subscriptionRulesOf(subscription));
      const headers = httpHeaders(envelope.Type, envelope.MessageId, envelope.TopicArn, 'text/plain; charset=UTF-8');
      return {
        targetArn: endpoint,
        payload: body,
        parameters: {
          http: {
            local,
            headers:
              envelope.Type === 'UnsubscribeConfirmation'
                ? { ...headers, 'x-amz-sns-subscription-arn': subscriptionArn(subscription) }
                : headers,
          },
        },
        attributes: { retry, maximumAge: 3600 },
      };
    }
    case 'email':
    case 'email-json':
      return {
        targetArn: `mailto:${encodeURIComponent(endpoint)}`,
        payload:
          protocol === 'email-json'
            ? body
            : Buffer.from(
                `Somebody has subscribed this address to the topic\n${envelope.TopicArn}\n\nTo confirm the subscription, visit:\n${url}\n\nIf it was not you, do nothing.\n`,
              ),
        parameters: { subject: 'AWS Notification - Subscription Confirmation' },
        attributes: {
          ...CUSTOMER,
          outbox: {
            confirmationUrl: url,
            from: senderOf(topic),
            messageId: envelope.MessageId,
            topicArn: envelope.TopicArn,
          },
        },
      };
    case 'lambda':
      return {
        targetArn: endpoint,
        payload: Buffer.from(lambdaEvent(subscriptionArn(subscription), envelope)),
        attributes: MANAGED,
      };
    default:
      return { targetArn: endpoint, payload: body, attributes: MANAGED };
  }
}

/** Puts a subscription, in place of what there was, with its indexes. Call `state.expiry.changed` once it is committed. */
export async function putSubscription(
  state: SnsState,
  transaction: Transaction,
  before: SubscriptionRecord | undefined,
  after: SubscriptionRecord,
): Promise<void> {
  // Confirming is idempotent: the token of a confirmed subscription goes on to name it.
  const token = after.pending?.token ?? after.confirmedBy;
  if (before?.pending && before.pending.token !== token) transaction.delete(keys.token(before.pending.token));
  if (after.pending) transaction.put(keys.token(after.pending.token), subscriptionArn(after));
  state.expiry.move(transaction, expiryItem(after), before?.pending?.until, after.pending?.until);
  transaction.put(keys.subscription(after), after);
  if (!before) {
    transaction.put(keys.subscribed(after, after.protocol, after.endpoint), after.id);
    transaction.put(keys.ownedSubscription(after.owner, after), true);
  }
  await noteChange(transaction, after, before, after);
}

/** Takes a subscription away with its indexes. */
export async function removeSubscription(
  state: SnsState,
  transaction: Transaction,
  record: SubscriptionRecord,
): Promise<void> {
  const token = record.pending?.token ?? record.confirmedBy;
  if (token !== undefined) transaction.delete(keys.token(token));
  state.expiry.move(transaction, expiryItem(record), record.pending?.until, undefined);
  transaction.delete(keys.subscription(record));
  transaction.delete(keys.subscribed(record, record.protocol, record.endpoint));
  transaction.delete(keys.ownedSubscription(record.owner, record));
  await noteChange(transaction, record, record, undefined);
}
