import type { Target } from '@aws-sdk/client-scheduler';
import type { Key } from '../../store/index.ts';

/** Where schedules live. */
export interface Place {
  readonly account: string;
  readonly region: string;
}

/** Names of schedules are unique within their group. */
export interface ScheduleId extends Place {
  readonly group: string;
  readonly name: string;
}

export interface GroupRecord {
  readonly name: string;
  readonly state: 'ACTIVE' | 'DELETING';
  /** Epoch ms, as all times in records. */
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly createToken?: string | undefined;
}

/** What a request to create or update a schedule says, with the defaults filled in. */
export interface ScheduleSettings {
  readonly expression: string;
  readonly timezone: string;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly startDate?: number | undefined;
  readonly endDate?: number | undefined;
  readonly description?: string | undefined;
  /** 0 when it is off. */
  readonly windowMinutes: number;
  readonly target: Target;
  readonly actionAfterCompletion: 'NONE' | 'DELETE';
}

export interface ScheduleRecord extends ScheduleSettings {
  readonly createdAt: number;
  readonly modifiedAt: number;
  /** What a rate is counted from. */
  readonly anchor: number;
  /** The requests that made it what it is: the same ones again change nothing. */
  readonly createToken?: ClientToken | undefined;
  readonly updateToken?: ClientToken | undefined;
}

export interface ClientToken {
  readonly token: string;
  /** Digest of the request that it came with. */
  readonly request: string;
}

/** The next time that a schedule invokes its target. */
export interface Due {
  /** When it does. */
  readonly time: number;
  /** When its expression says; the flexible window begins then. */
  readonly scheduled: number;
}

const ROOT = 'scheduler';

export const groupPrefix = ({ account, region }: Place): Key => [ROOT, 'group', account, region];
export const groupKey = (place: Place, name: string): Key => [...groupPrefix(place), name];

export const schedulePrefix = ({ account, region }: Place): Key => [ROOT, 'schedule', account, region];
export const scheduleKey = (id: ScheduleId): Key => [...schedulePrefix(id), id.group, id.name];

/** A schedule's `Due`, apart from its record: it changes each time, and the record may be large. */
export const nextKey = ({ account, region, group, name }: ScheduleId): Key => [
  ROOT,
  'next',
  account,
  region,
  group,
  name,
];

/** All schedules in order of their next times; the value is the time that was scheduled. */
export const DUE_PREFIX: Key = [ROOT, 'due'];
export const dueKey = ({ account, region, group, name }: ScheduleId, time: number): Key => [
  ...DUE_PREFIX,
  time,
  account,
  region,
  group,
  name,
];

/** The time and the schedule of a key made by `dueKey`. */
export function readDueKey(key: Key): { readonly time: number; readonly id: ScheduleId } {
  const [, , time, account, region, group, name] = key as [string, string, number, string, string, string, string];
  return { time, id: { account, region, group, name } };
}

/** Up to this time, everything that became due did so while Kobune ran. */
export const HORIZON_KEY: Key = [ROOT, 'horizon'];

/** A deletion that was made, by the token of its request; until it expires, the same request succeeds again. */
export const deletionKey = ({ account, region }: Place, token: string): Key => [
  ROOT,
  'deletion',
  account,
  region,
  token,
];
export const EXPIRY_PREFIX: Key = [ROOT, 'deletion-expiry'];
export const expiryKey = (place: Place, token: string, time: number): Key => [
  ...EXPIRY_PREFIX,
  time,
  place.account,
  place.region,
  token,
];

export function scheduleArn({ account, region, group, name }: ScheduleId): string {
  return `arn:aws:scheduler:${region}:${account}:schedule/${group}/${name}`;
}

export function groupArn({ account, region }: Place, name: string): string {
  return `arn:aws:scheduler:${region}:${account}:schedule-group/${name}`;
}
