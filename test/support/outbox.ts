import type { RunningKobune } from './running-kobune.ts';

/** A message as `kobune outbox --json` tells it. */
export interface OutboxMessage {
  readonly kind: 'email' | 'sms' | 'push';
  readonly to: string;
  readonly subject?: string;
  readonly body: string;
}

/** What SNS would have sent to people and devices so far, oldest first. */
export async function readOutbox({ endpoint }: RunningKobune): Promise<readonly OutboxMessage[]> {
  const answer = await fetch(`${endpoint}/_kobune/outbox?account=000000000000`);
  if (!answer.ok) throw new Error(`no outbox: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { readonly messages: readonly OutboxMessage[] }).messages;
}

/** Visits the address that a confirmation mail asks its reader to visit. */
export async function confirmSubscription({ body }: OutboxMessage): Promise<void> {
  const [address] = /https?:\/\/\S+Action=ConfirmSubscription\S+/.exec(body) ?? [];
  if (address === undefined) throw new Error(`no address to visit in: ${body}`);
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`not confirmed: ${answer.status} ${await answer.text()}`);
}
