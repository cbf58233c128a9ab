import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { type Connection, fromEnvironment, settingsOf } from './clients.ts';

/** What happened in the shop. Nobody is told of a placed order, and Cleo wants to be told of nothing. */
const EVENTS = [
  ['Order Placed', { customer: 'ada', order: 'A-1', day: 'Friday' }],
  ['Order Shipped', { customer: 'ada', order: 'A-1', day: 'Friday' }],
  ['Order Delayed', { customer: 'bob', order: 'B-7', day: 'Monday' }],
  ['Order Shipped', { customer: 'cleo', order: 'C-3', day: 'Friday' }],
] as const;

/** Puts the events on the shop's bus. */
export async function sendEvents(connection: Connection): Promise<void> {
  const events = new EventBridgeClient(settingsOf(connection));
  try {
    const Entries = EVENTS.map(([DetailType, detail]) => ({
      EventBusName: 'shop',
      Source: 'shop.orders',
      DetailType,
      Detail: JSON.stringify(detail),
    }));
    const { FailedEntryCount } = await events.send(new PutEventsCommand({ Entries }));
    if (FailedEntryCount) throw new Error(`${FailedEntryCount} events were not put`);
    connection.print(`${Entries.length} events are on bus shop.`);
  } finally {
    events.destroy();
  }
}

if (import.meta.main) await sendEvents(fromEnvironment);
