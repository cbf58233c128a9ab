import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import { groupNotFound } from './errors.ts';
import { type GroupRecord, groupKey, type Place } from './records.ts';
import type { Timetable } from './timetable.ts';
import { DEFAULT_GROUP } from './validation.ts';

/** What the operations work on. */
export interface SchedulerState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly access: ServiceAccess;
  readonly timetable: Timetable;
}

/** The group's record. The default group is always there; it is written down when it is first seen. */
export async function findGroup(
  state: SchedulerState,
  transaction: Transaction,
  place: Place,
  name: string,
): Promise<GroupRecord> {
  const entry = await transaction.get<GroupRecord>(groupKey(place, name));
  if (entry) return entry.value;
  if (name !== DEFAULT_GROUP) throw groupNotFound(name);
  const now = state.clock.now();
  const group: GroupRecord = { name, state: 'ACTIVE', createdAt: now, modifiedAt: now, tags: {} };
  transaction.put(groupKey(place, name), group);
  return group;
}
