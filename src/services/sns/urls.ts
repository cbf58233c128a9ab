import type { SnsState } from './state.ts';

/** Addresses in messages: here, where AWS would name its own host. Requests to them need no signature. */

export function unsubscribeUrl({ endpoint }: Pick<SnsState, 'endpoint'>, subscriptionArn: string): string {
  return `${endpoint()}/?Action=Unsubscribe&SubscriptionArn=${subscriptionArn}`;
}

export function confirmationUrl({ endpoint }: Pick<SnsState, 'endpoint'>, topicArn: string, token: string): string {
  return `${endpoint()}/?Action=ConfirmSubscription&TopicArn=${topicArn}&Token=${token}`;
}
