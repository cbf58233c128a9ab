import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import { groupNotFound, streamNotFound } from './errors.ts';
import type { Followers } from './followers.ts';
import type { LogWriter } from './log-writer.ts';
import { type GroupId, type GroupRecord, groupKey, type StreamRecord, streamKey } from './records.ts';
import type { Retention } from './retention.ts';

/** What the operations work on. */
export interface LogsState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly writer: LogWriter;
  readonly followers: Followers;
  readonly retention: Retention;
}

/** The group's record, once what was appended so far can be read. Throws ResourceNotFoundException. */
export async function findGroup(state: LogsState, id: GroupId): Promise<GroupRecord> {
  await state.writer.settle();
  const entry = await state.store.get<GroupRecord>(groupKey(id));
  if (!entry) throw groupNotFound();
  return entry.value;
}

/** The stream's record. Throws ResourceNotFoundException. */
export async function findStream(state: LogsState, group: GroupRecord, name: string): Promise<StreamRecord> {
  const entry = await state.store.get<StreamRecord>(streamKey(group.id, name));
  if (!entry) throw streamNotFound();
  return entry.value;
}
