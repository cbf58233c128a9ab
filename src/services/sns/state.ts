import type { Store, Transaction } from '../../store/index.ts';
import type { Agenda } from '../agenda.ts';
import type { DeliveryPace } from './delivery-pace.ts';
import { notFound } from './errors.ts';
import type { SnsOptions } from './index.ts';
import type { MessageEncryption } from './message-encryption.ts';
import type { MessageSigner } from './message-signer.ts';
import type { TopicName } from './names.ts';
import type { Outbox } from './outbox/outbox.ts';
import { keys, type TopicRecord } from './records.ts';
import type { Subscribers } from './subscribers.ts';
import type { Turns } from './turns.ts';

/** What the operations work on. */
export interface SnsState extends SnsOptions {
  readonly signer: MessageSigner;
  readonly encryptedMessages: MessageEncryption;
  readonly outbox: Outbox;
  readonly subscribers: Subscribers;
  readonly pace: DeliveryPace;
  /** Subscriptions that nobody confirms. */
  readonly expiry: Agenda;
  /** Messages of a FIFO topic are numbered one after the other. */
  readonly turns: Turns;
}

/** Throws NotFound. */
export async function findTopic(from: Pick<Store | Transaction, 'get'>, name: TopicName): Promise<TopicRecord> {
  const entry = await from.get<TopicRecord>(keys.topic(name));
  if (!entry) throw notFound('Topic');
  return entry.value;
}
