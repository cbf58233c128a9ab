import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import { endpointDisabled, invalidParameter } from './errors.ts';
import { type Message, textFor } from './message.ts';
import { pushOptions, smsDetails } from './message-details.ts';
import { type EndpointName, endpointArn, type Place, phoneNumber } from './names.ts';
import { hasPayload, platformPayload } from './platform-payload.ts';
import { type ApplicationRecord, type EndpointRecord, keys } from './records.ts';
import { smsDefaults } from './sms-settings.ts';
import type { SnsState } from './state.ts';

/** Characters of one Publish to a phone. Source: API Reference, "Publish": Message. */
const LONGEST_SMS = 1600;

/** A text message to one phone. Throws InvalidParameter. */
export async function publishToPhone(
  state: SnsState,
  given: string,
  message: Message,
  { account, region }: Place,
): Promise<{ readonly MessageId: string }> {
  const to = phoneNumber(given);
  if (to === undefined) throw invalidParameter(`PhoneNumber Reason: ${given} is not valid to publish to`);
  const body = textFor(message, 'sms');
  if (body.length > LONGEST_SMS) throw invalidParameter('Message too long');
  const messageId = state.random.uuid();
  await state.store.transact((transaction) =>
    sendSms(state, transaction, { account, region }, { to, body, messageId, ...smsDetails(message.attributes) }),
  );
  return { MessageId: messageId };
}

/** Puts a text message into the outbox, with the account's settings where the message has none. */
export async function sendSms(
  state: SnsState,
  transaction: Transaction,
  place: Place,
  sms: {
    readonly to: string;
    readonly body: string;
    readonly messageId?: string | undefined;
    readonly from?: string | undefined;
    readonly topicArn?: string | undefined;
    readonly options?: Readonly<Record<string, string>> | undefined;
  },
): Promise<void> {
  const { from, type } = await smsDefaults(transaction, place);
  await state.outbox.add(transaction, {
    account: place.account,
    region: place.region,
    kind: 'sms',
    to: sms.to,
    body: sms.body,
    messageId: sms.messageId,
    ...(sms.topicArn === undefined ? {} : { topicArn: sms.topicArn }),
    time: state.clock.now(),
    from: sms.from ?? from,
    options: { 'AWS.SNS.SMS.SMSType': type, ...sms.options },
  });
}

/** A notification of one device. Throws InvalidParameter, EndpointDisabled or PlatformApplicationDisabled. */
export async function publishToDevice(
  state: SnsState,
  name: EndpointName,
  message: Message,
  { account, region }: Place,
): Promise<{ readonly MessageId: string }> {
  const messageId = state.random.uuid();
  await state.store.transact(async (transaction) => {
    const endpoint = await transaction.get<EndpointRecord>(keys.endpoint(name));
    if (!endpoint || name.account !== account || name.region !== region) {
      throw invalidParameter('TargetArn Reason: No endpoint found for the target arn specified');
    }
    const application = await transaction.get<ApplicationRecord>(keys.application(name));
    if (application?.value.attributes.Enabled === 'false') {
      throw new ServiceError('PlatformApplicationDisabled', 'Platform application is disabled');
    }
    if (!endpoint.value.enabled) throw endpointDisabled();
    if (!hasPayload(message, name.platform)) {
      throw invalidParameter('Message Structure - No default entry in JSON message body');
    }
    await state.outbox.add(transaction, {
      account: name.account,
      region: name.region,
      kind: 'push',
      to: endpointArn(name),
      body: platformPayload(message, name.platform),
      messageId,
      platform: name.platform,
      deviceToken: endpoint.value.token,
      time: state.clock.now(),
      options: pushOptions(message.attributes),
    });
  });
  return { MessageId: messageId };
}
