import type { Transaction } from '../../store/index.ts';
import { lineageId, withInvocation } from './lineage.ts';
import { type FunctionName, functionArn } from './names.ts';
import type { Room } from './room.ts';

/** Name of the delivery source for events that wait for a function. */
export const ASYNC_SOURCE = 'lambda-async';

/** What is kept beside the payload: the same for every try of the event. */
export interface AsyncAttributes {
  readonly requestId: string;
  readonly traceId: string;
  readonly clientContext?: unknown;
}

/** Puts an event into the function's queue, in the caller's transaction, and counts the invocation in the trace header. */
export function enqueueInvocation(
  room: Pick<Room, 'delivery'>,
  transaction: Transaction,
  name: FunctionName,
  payload: Uint8Array,
  attributes: AsyncAttributes,
): string {
  return room.delivery.enqueue(transaction, {
    source: ASYNC_SOURCE,
    targetArn: functionArn(name, name.name, name.qualifier),
    payload,
    account: name.account,
    region: name.region,
    attributes: { ...attributes, traceId: withInvocation(attributes.traceId, lineageId(name)) },
  });
}
