import type {
  ConfirmSubscriptionCommandInput,
  ConfirmSubscriptionCommandOutput,
  UnsubscribeCommandInput,
} from '@aws-sdk/client-sns';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { confirmationRequest, newConfirmation, putSubscription, removeSubscription } from '../confirmations.ts';
import { invalidParameter, notAuthorized } from '../errors.ts';
import { readSubscriptionArn, readTopicArn, subscriptionArn, topicArn } from '../names.ts';
import { keys, type SubscriptionRecord, type TopicRecord } from '../records.ts';
import { findTopic, type SnsState } from '../state.ts';

type Out<T> = Omit<T, '$metadata'>;

/** Source: API Reference, "ConfirmSubscription". Whoever has the token may; a second time changes nothing. */
export async function confirmSubscription(
  state: SnsState,
  input: ConfirmSubscriptionCommandInput,
  context: RequestContext,
): Promise<Out<ConfirmSubscriptionCommandOutput>> {
  const topic = readTopicArn(input.TopicArn);
  const authenticate = input.AuthenticateOnUnsubscribe?.toLowerCase() === 'true';
  const signed = context.principal.type !== 'Anonymous';
  if (authenticate && !signed) throw notAuthorized('AuthenticateOnUnsubscribe needs a signed request.');
  return state.store.transact(async (transaction) => {
    await findTopic(transaction, topic);
    const named = await transaction.get<string>(keys.token(input.Token!));
    const name = named && readSubscriptionArn(named.value);
    if (!name || topicArn(name) !== topicArn(topic)) throw invalidParameter('Token');
    const before = (await transaction.get<SubscriptionRecord>(keys.subscription(name)))?.value;
    const waiting = before ?? (await restorable(transaction, input.Token!));
    if (!waiting?.pending) {
      if (waiting) return { SubscriptionArn: subscriptionArn(name) };
      throw invalidParameter('Token');
    }
    if (waiting.pending.until <= state.clock.now()) throw invalidParameter('Token');
    const { pending, ...rest } = waiting;
    const after: SubscriptionRecord = {
      ...rest,
      confirmedBy: pending.token,
      confirmationWasAuthenticated: signed,
      authenticateOnUnsubscribe: authenticate,
    };
    await putSubscription(state, transaction, before, after);
    if (!before) forgetRestorable(state, transaction, waiting);
    return { SubscriptionArn: subscriptionArn(name) };
  });
}

/**
 * Source: API Reference, "Unsubscribe": it succeeds for what is not there. An endpoint that somebody else than an owner
 * takes away is told, and may come back.
 */
export async function unsubscribe(
  state: SnsState,
  input: UnsubscribeCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = readSubscriptionArn(input.SubscriptionArn!);
  const signed = context.principal.type !== 'Anonymous';
  const owned = (record: SubscriptionRecord) =>
    signed && (context.account === record.owner || context.account === record.account);
  const until = await state.store.transact(async (transaction) => {
    const entry = await transaction.get<SubscriptionRecord>(keys.subscription(name));
    if (!entry) return undefined;
    const record = entry.value;
    if (record.pending) throw invalidParameter('SubscriptionArn Reason: This subscription is pending confirmation');
    if (!owned(record) && (signed || record.authenticateOnUnsubscribe)) {
      throw notAuthorized('Only the owners of the subscription and of its topic may end it.');
    }
    await removeSubscription(state, transaction, record);
    const http = record.protocol === 'http' || record.protocol === 'https';
    const topic = (await transaction.get<TopicRecord>(keys.topic(name)))?.value;
    if (owned(record) || !http || !topic) return undefined;
    const ended: SubscriptionRecord = { ...record, pending: newConfirmation(state) };
    const { token, until } = ended.pending!;
    transaction.put(keys.token(token), subscriptionArn(record));
    transaction.put(keys.unsubscribed(token), ended);
    state.expiry.move(transaction, [token], undefined, until);
    state.delivery.enqueue(transaction, await confirmationRequest(state, topic, ended, 'UnsubscribeConfirmation'));
    return until;
  });
  state.expiry.changed(until);
  state.pace.forget(input.SubscriptionArn!);
  return {};
}

/** A subscription that was ended and may come back; `undefined` when its endpoint was subscribed anew meanwhile. */
async function restorable(transaction: Transaction, token: string): Promise<SubscriptionRecord | undefined> {
  const ended = (await transaction.get<SubscriptionRecord>(keys.unsubscribed(token)))?.value;
  const anew = ended && (await transaction.get(keys.subscribed(ended, ended.protocol, ended.endpoint)));
  return anew ? undefined : ended;
}

function forgetRestorable(state: SnsState, transaction: Transaction, { pending }: SubscriptionRecord): void {
  transaction.delete(keys.unsubscribed(pending!.token));
  state.expiry.move(transaction, [pending!.token], pending!.until, undefined);
}

/** Deletes a subscription that nobody confirmed in time, or forgets one that was ended and did not come back. */
export async function expire(state: SnsState, item: readonly string[], due: number): Promise<void> {
  await state.store.transact(async (transaction) => {
    state.expiry.move(transaction, item, due, undefined);
    if (item.length === 1) {
      transaction.delete(keys.unsubscribed(item[0]!));
      transaction.delete(keys.token(item[0]!));
      return;
    }
    const [account, region, name, id] = item as readonly [string, string, string, string];
    const entry = await transaction.get<SubscriptionRecord>(keys.subscription({ account, region, name, id }));
    if (entry?.value.pending && entry.value.pending.until <= due) {
      await removeSubscription(state, transaction, entry.value);
    }
  });
}
