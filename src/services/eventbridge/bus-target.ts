import {
  type Acceptance,
  type DeliveryCaller,
  type PendingDelivery,
  SERVICE_EVENT_SOURCE,
} from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { type EventEnvelope, eventTime, readEnvelope } from './envelope.ts';
import { type InvocationAttributes, SOURCE } from './invocation.ts';
import { type BusId, busArn, parseBusArn } from './records.ts';
import { type EventBridgeState, readBus } from './state.ts';

type Rejected = Extract<Acceptance, { readonly type: 'rejected' }>;

/** Takes an event of another service, or of a rule on another bus, in the transaction in which it is handed over. */
export async function acceptEvent(
  state: EventBridgeState,
  delivery: PendingDelivery,
  transaction: Transaction,
): Promise<Acceptance> {
  const id = parseBusArn(delivery.targetArn);
  const table = id && (await state.publisher.tables.get(id));
  if (!id || !table?.exists) {
    return reject('NO_RESOURCE', `Event bus ${id?.bus ?? delivery.targetArn} does not exist.`);
  }
  const { buses } = hopsOf(delivery);
  if (buses > 1) return thirdBus(id, delivery);
  const now = state.clock.now();
  const { account, id: deliveryId, payload, region } = delivery;
  const given = readEnvelope(payload, { account, id: deliveryId, region, time: eventTime(now) });
  if (!given) {
    return reject('INVALID_JSON', 'An event bus takes events: a source, a detail-type and an object as the detail.');
  }
  const isMade = (delivery.attributes as Partial<InvocationAttributes> | undefined)?.transformed === true;
  // What a rule's owner made of an event is the owner's own: it comes from no service and no other account.
  if (isMade && /^aws\./i.test(given.source)) {
    return reject('NOT_AUTHORIZED_FOR_SOURCE', `Not authorized for the source ${given.source}.`);
  }
  const event: EventEnvelope = isMade ? { ...given, account, region } : given;
  if (delivery.source !== SERVICE_EVENT_SOURCE && !(await allows(state, id, delivery.caller, event))) {
    return reject('NO_PERMISSIONS', `${busArn(id)} does not let ${delivery.caller?.service} send it events.`);
  }
  const text = Buffer.from(payload).toString();
  const { traceHeader } = delivery;
  const match = state.publisher.match(table, {
    event,
    text: !isMade && isWhole(text, event) ? text : JSON.stringify(event),
    ingestedAt: now,
    traceHeader,
    buses: buses + 1,
  });
  state.publisher.publish(transaction, match);
  return { type: 'delivered' };
}

/** True when the bus is there and its policy, or the caller's role, lets the caller send events. */
export async function permitsEvents(
  state: EventBridgeState,
  targetArn: string,
  caller: DeliveryCaller,
): Promise<boolean> {
  const id = parseBusArn(targetArn);
  if (!id || !(await readBus(state.store, id))) return false;
  return allows(state, id, caller);
}

/** How many buses the event has been on, when it comes from a rule. */
function hopsOf({ attributes, source }: PendingDelivery): { readonly buses: number } {
  return source === SOURCE ? (attributes as InvocationAttributes) : { buses: 0 };
}

/**
 * An event that came from another bus does not go on to a third; so no loop of buses is endless.
 * Source: EventBridge User Guide, "Sending events between event buses in the same account and Region".
 */
function thirdBus(to: BusId, { account, region }: PendingDelivery): Rejected {
  const code =
    account === to.account && region !== to.region ? 'THIRD_REGION_HOP_DETECTED' : 'THIRD_ACCOUNT_HOP_DETECTED';
  return reject(code, 'Events received from another event bus are not sent on to a third one.');
}

async function allows(
  state: EventBridgeState,
  id: BusId,
  caller: DeliveryCaller | undefined,
  event?: EventEnvelope,
): Promise<boolean> {
  if (!state.enforce) return true;
  if (!caller) return false;
  return state.access.allows({
    action: 'events:PutEvents',
    resource: busArn(id),
    resourceAccount: id.account,
    region: id.region,
    resourcePolicy: (await readBus(state.store, id))?.policy,
    ...(event ? { conditions: { 'events:source': [event.source], 'events:detail-type': [event['detail-type']] } } : {}),
    caller,
  });
}

/** The sender left nothing out, so that its text can be handed on as it is. */
function isWhole(text: string, event: EventEnvelope): boolean {
  const given = JSON.parse(text) as object;
  return Object.keys(event).every((key) => key in given);
}

function reject(code: string, reason: string): Rejected {
  return { type: 'rejected', code, reason };
}
