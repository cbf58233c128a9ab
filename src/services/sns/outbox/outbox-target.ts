import type { Acceptance, DeliveryTarget, PendingDelivery } from '../../../events/index.ts';
import type { Transaction } from '../../../store/index.ts';
import { sendSms } from '../direct-messages.ts';
import type { SnsState } from '../state.ts';
import type { OutboxEntry } from './outbox-entry.ts';

/** What SNS's own deliveries say of the entry that they become. */
export type OutboxDetails = Partial<
  Pick<OutboxEntry, 'confirmationUrl' | 'from' | 'messageId' | 'options' | 'topicArn' | 'unsubscribeUrl'>
>;

const ADDRESS = /^mailto:(.+)$/i;
const NUMBER = /^tel:(.+)$/i;

/** E-mail addresses (`mailto:`) and phones (`tel:`) as targets: what is sent to them goes into the outbox. */
export function outboxTarget(state: SnsState): DeliveryTarget {
  return { accept: (delivery, transaction) => accept(state, delivery, transaction) };
}

async function accept(state: SnsState, delivery: PendingDelivery, transaction: Transaction): Promise<Acceptance> {
  const { account, attributes, parameters, payload, region, targetArn } = delivery;
  const address = ADDRESS.exec(targetArn)?.[1];
  const number = NUMBER.exec(targetArn)?.[1];
  if (address === undefined && number === undefined) {
    return { type: 'rejected', reason: `neither an e-mail address nor a phone number: ${targetArn}` };
  }
  const details = (attributes?.outbox ?? {}) as OutboxDetails;
  const body = Buffer.from(payload).toString();
  if (number !== undefined) {
    await sendSms(state, transaction, { account, region }, { to: decodeURIComponent(number), body, ...details });
    return { type: 'delivered' };
  }
  await state.outbox.add(transaction, {
    account,
    region,
    kind: 'email',
    to: decodeURIComponent(address!),
    subject: parameters?.subject,
    body,
    time: state.clock.now(),
    ...details,
  });
  return { type: 'delivered' };
}
