import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { RequestContext } from '../service.ts';
import type { Authorizations } from './connections/authorizations.ts';
import { busNotFound, invalidParameter, refused } from './errors.ts';
import type { Housekeeping } from './housekeeping.ts';
import type { Publisher } from './publisher.ts';
import { type BusId, type BusRecord, busKey, DEFAULT_BUS, type Place, parseBusArn } from './records.ts';
import type { Replayer } from './replayer.ts';
import type { ScheduledRules } from './scheduled-rules.ts';

/** What the operations work on. */
export interface EventBridgeState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly access: ServiceAccess;
  readonly enforce: boolean;
  readonly publisher: Publisher;
  readonly schedules: ScheduledRules;
  readonly replayer: Replayer;
  readonly housekeeping: Housekeeping;
  readonly authorizations: Authorizations;
}

/** The bus's record; `undefined` when there is none. The default bus is always there, and has a record once it was changed. */
export async function readBus(reader: Pick<Transaction, 'get'>, id: BusId): Promise<BusRecord | undefined> {
  const entry = await reader.get<BusRecord>(busKey(id));
  if (entry) return entry.value;
  return id.bus === DEFAULT_BUS ? { name: DEFAULT_BUS, tags: {}, createdAt: 0, modifiedAt: 0 } : undefined;
}

/** Throws ResourceNotFoundException. */
export async function requireBus(reader: Pick<Transaction, 'get'>, id: BusId): Promise<BusRecord> {
  const bus = await readBus(reader, id);
  if (!bus) throw busNotFound(id.bus);
  return bus;
}

/** The bus of the caller's account that a request names, by name or ARN; the default bus unless it names one. */
export function busOf(text: string | undefined, context: Pick<RequestContext, 'account' | 'region'>): BusId {
  const { account, region } = context;
  if (text === undefined) return { account, region, bus: DEFAULT_BUS };
  if (!text.startsWith('arn:')) return { account, region, bus: checkBusName(text) };
  const id = parseBusArn(text);
  if (!id) throw invalidParameter('EventBusName', 'Provided Arn is not in correct format.');
  if (id.account !== account || id.region !== region) {
    throw refused(
      `A rule or permission on an event bus of another account or Region (${text})`,
      'Send the request as that account, in that Region.',
    );
  }
  return id;
}

/** Source: API Reference, "CreateEventBus": partner buses have slashes in their names, others have not. */
export function checkBusName(name: string): string {
  if (name.length <= 256 && /^[/.\-_A-Za-z0-9]+$/.test(name)) return name;
  throw invalidParameter('EventBusName', 'it is 1 to 256 characters out of letters, digits, ".", "-", "_" and "/".');
}

export const placeOf = ({ account, region }: Place): Place => ({ account, region });
