import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { Agenda } from '../agenda.ts';
import type { Encryption } from '../encryption.ts';
import type { RequestContext } from '../service.ts';
import { emitChange } from './change-events.ts';
import { parameterNotFound } from './errors.ts';
import { plainNames } from './names.ts';
import { nextDue } from './policies.ts';
import {
  type CountRecord,
  countKey,
  type ParameterId,
  type ParameterRecord,
  parameterKey,
  type Tier,
  versionPrefix,
} from './records.ts';

/** What the operations work on. */
export interface SsmState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly encryption: Encryption;
  /** When the policies of advanced parameters are carried out. */
  readonly agenda: Agenda;
}

export interface FoundParameter {
  readonly id: ParameterId;
  readonly parameter: ParameterRecord;
}

/** The first of these names that is there. */
export async function findFirst(
  reader: Pick<Transaction, 'get'>,
  names: readonly string[],
  { account, region }: Pick<RequestContext, 'account' | 'region'>,
): Promise<FoundParameter | undefined> {
  for (const name of names) {
    const id = { account, region, name };
    const entry = await reader.get<ParameterRecord>(parameterKey(id));
    if (entry) return { id, parameter: entry.value };
  }
  return undefined;
}

/** By name or ARN, without a version. Throws ParameterNotFound. */
export async function findParameter(
  reader: Pick<Transaction, 'get'>,
  text: string,
  context: Pick<RequestContext, 'account' | 'region'>,
): Promise<FoundParameter> {
  const found = await findFirst(reader, plainNames(text, context), context);
  if (!found) throw parameterNotFound(text);
  return found;
}

/** Writes the parameter's record and the time of its next policy. Returns that time, for `agenda.changed`. */
export function saveParameter(
  { agenda }: SsmState,
  transaction: Transaction,
  id: ParameterId,
  parameter: Omit<ParameterRecord, 'due'>,
  previous: ParameterRecord | undefined,
): number | undefined {
  const due = nextDue(parameter);
  agenda.move(transaction, [id.account, id.region, id.name], previous?.due, due);
  transaction.put(parameterKey(id), { ...parameter, due } satisfies ParameterRecord);
  return due;
}

/** Deletes a parameter with all of its versions, and tells of it. */
export async function removeParameter(
  state: SsmState,
  transaction: Transaction,
  { id, parameter }: FoundParameter,
): Promise<void> {
  state.agenda.move(transaction, [id.account, id.region, id.name], parameter.due, undefined);
  for (const { key } of await transaction.range({ prefix: versionPrefix(id) })) transaction.delete(key);
  transaction.delete(parameterKey(id));
  await count(transaction, id, parameter.latest.tier, -1);
  emitChange(state, transaction, id, 'Delete', parameter.latest);
}

/** Adds to the number of parameters of a tier; returns how many there are then. */
export async function count(transaction: Transaction, id: ParameterId, tier: Tier, by: number): Promise<number> {
  const counts = (await transaction.get<CountRecord>(countKey(id)))?.value ?? { Standard: 0, Advanced: 0 };
  const changed = { ...counts, [tier]: Math.max(0, counts[tier] + by) };
  transaction.put(countKey(id), changed);
  return changed[tier];
}
