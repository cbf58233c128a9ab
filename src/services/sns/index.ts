import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource, DeliveryTarget } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import { Agenda } from '../agenda.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService, RequestContext } from '../service.ts';
import { authorization } from './authorization.ts';
import { DeliveryPace } from './delivery-pace.ts';
import { notificationSource } from './delivery-source.ts';
import { snsTarget } from './delivery-target.ts';
import { MessageEncryption } from './message-encryption.ts';
import { MessageSigner } from './message-signer.ts';
import * as confirmation from './operations/confirmation.ts';
import * as platforms from './operations/platforms.ts';
import * as publishing from './operations/publish.ts';
import * as sms from './operations/sms.ts';
import * as sandbox from './operations/sms-sandbox.ts';
import * as subscriptions from './operations/subscriptions.ts';
import * as topics from './operations/topics.ts';
import { Outbox } from './outbox/outbox.ts';
import { outboxTarget } from './outbox/outbox-target.ts';
import { keys } from './records.ts';
import { REFUSED } from './refused.ts';
import type { SnsState } from './state.ts';
import { Subscribers } from './subscribers.ts';
import { Turns } from './turns.ts';

export { OUTBOX_KINDS, type OutboxEntry, type OutboxKind, type OutboxQuery } from './outbox/outbox-entry.ts';

export interface SnsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  /** Keys for topics with server-side encryption. */
  readonly encryption: Encryption;
  /** Where this Kobune is reached, `http://127.0.0.1:4566`: for the addresses in messages. */
  readonly endpoint: () => string;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Sns {
  readonly service: AwsService;
  /** Topics as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** The outbox as target of e-mail (`mailto:`) and text messages (`tel:`). */
  readonly outboxTarget: DeliveryTarget;
  /** Messages on their way to subscriptions. */
  readonly deliverySource: DeliverySource;
  /** E-mails, text messages and notifications of devices that were sent. */
  readonly outbox: Pick<Outbox, 'clear' | 'follow' | 'list'>;
  /** The certificate, as PEM, that proves the signature of messages; `undefined` when the path is of none. */
  certificate(path: string): Promise<string | undefined>;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

type Bound<Input, Output> = (state: SnsState, input: Input, context: RequestContext) => Promise<Output>;

/** Simple Notification Service: topics, subscriptions, and the outbox of what would leave for people and devices. */
export function createSns(options: SnsOptions): Sns {
  const state: SnsState = {
    ...options,
    signer: new MessageSigner(options),
    encryptedMessages: new MessageEncryption(options),
    outbox: new Outbox(options.store),
    subscribers: new Subscribers(),
    pace: new DeliveryPace(options.clock),
    turns: new Turns(),
    expiry: new Agenda({
      ...options,
      prefix: keys.expiries(),
      run: (item, due) => confirmation.expire(state, item, due),
    }),
  };
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  const service: AwsService = {
    name: 'sns',
    operations: {
      AddPermission: bind(topics.addPermission),
      CheckIfPhoneNumberIsOptedOut: bind(sms.checkIfPhoneNumberIsOptedOut),
      ConfirmSubscription: bind(confirmation.confirmSubscription),
      CreatePlatformApplication: bind(platforms.createPlatformApplication),
      CreatePlatformEndpoint: bind(platforms.createPlatformEndpoint),
      CreateSMSSandboxPhoneNumber: bind(sandbox.createSMSSandboxPhoneNumber),
      CreateTopic: bind(topics.createTopic),
      DeleteEndpoint: bind(platforms.deleteEndpoint),
      DeletePlatformApplication: bind(platforms.deletePlatformApplication),
      DeleteSMSSandboxPhoneNumber: bind(sandbox.deleteSMSSandboxPhoneNumber),
      DeleteTopic: bind(topics.deleteTopic),
      GetEndpointAttributes: bind(platforms.getEndpointAttributes),
      GetPlatformApplicationAttributes: bind(platforms.getPlatformApplicationAttributes),
      GetSMSAttributes: bind(sms.getSMSAttributes),
      GetSMSSandboxAccountStatus: bind(sandbox.getSMSSandboxAccountStatus),
      GetSubscriptionAttributes: bind(subscriptions.getSubscriptionAttributes),
      GetTopicAttributes: bind(topics.getTopicAttributes),
      ListEndpointsByPlatformApplication: bind(platforms.listEndpointsByPlatformApplication),
      ListOriginationNumbers: bind(sms.listOriginationNumbers),
      ListPhoneNumbersOptedOut: bind(sms.listPhoneNumbersOptedOut),
      ListPlatformApplications: bind(platforms.listPlatformApplications),
      ListSMSSandboxPhoneNumbers: bind(sandbox.listSMSSandboxPhoneNumbers),
      ListSubscriptions: bind(subscriptions.listSubscriptions),
      ListSubscriptionsByTopic: bind(subscriptions.listSubscriptionsByTopic),
      ListTagsForResource: bind(topics.listTagsForResource),
      ListTopics: bind(topics.listTopics),
      OptInPhoneNumber: bind(sms.optInPhoneNumber),
      Publish: bind(publishing.publish),
      PublishBatch: bind(publishing.publishBatch),
      RemovePermission: bind(topics.removePermission),
      SetEndpointAttributes: bind(platforms.setEndpointAttributes),
      SetPlatformApplicationAttributes: bind(platforms.setPlatformApplicationAttributes),
      SetSMSAttributes: bind(sms.setSMSAttributes),
      SetSubscriptionAttributes: bind(subscriptions.setSubscriptionAttributes),
      SetTopicAttributes: bind(topics.setTopicAttributes),
      Subscribe: bind(subscriptions.subscribe),
      TagResource: bind(topics.tagResource),
      Unsubscribe: bind(confirmation.unsubscribe),
      UntagResource: bind(topics.untagResource),
      VerifySMSSandboxPhoneNumber: bind(sandbox.verifySMSSandboxPhoneNumber),
    },
    refused: REFUSED,
    authorization: bindAuthorization(state),
  };
  return {
    service,
    deliveryTarget: snsTarget(state),
    outboxTarget: outboxTarget(state),
    deliverySource: notificationSource(state.encryptedMessages),
    outbox: state.outbox,
    certificate: (path) => state.signer.certificate(path),
    start: () => state.expiry.start(),
    close: () => state.expiry.close(),
  };
}

function bindAuthorization(state: SnsState): AwsService['authorization'] {
  return (operation, input, context) => authorization(state, operation, input, context);
}
