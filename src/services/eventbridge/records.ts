import type { Target } from '@aws-sdk/client-eventbridge';
import { parseArn } from '../../base/arn.ts';
import type { Key } from '../../store/index.ts';

/** Where things live. */
export interface Place {
  readonly account: string;
  readonly region: string;
}

export interface BusId extends Place {
  readonly bus: string;
}

export interface RuleId extends BusId {
  readonly rule: string;
}

export const DEFAULT_BUS = 'default';

export interface BusRecord {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON. */
  readonly policy?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Epoch ms, as all times in records. */
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface RuleRecord {
  readonly name: string;
  readonly bus: string;
  readonly pattern?: string | undefined;
  readonly schedule?: string | undefined;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly description?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly targets: readonly Target[];
  readonly tags: Readonly<Record<string, string>>;
  /** What a rate is counted from. */
  readonly anchor: number;
}

export interface ArchiveRecord {
  readonly name: string;
  /** Its events are kept under it: another archive of the same name does not have them. */
  readonly id: string;
  readonly busArn: string;
  readonly description?: string | undefined;
  readonly pattern?: string | undefined;
  /** 0: for ever. */
  readonly retentionDays: number;
  readonly createdAt: number;
  /** When events that are too old are next looked for. */
  readonly cleanAt?: number | undefined;
}

/** An event in an archive; its key has the event's own time. */
export interface ArchivedEvent {
  /** The event as JSON. */
  readonly event: string;
  readonly archivedAt: number;
}

export type ReplayState = 'STARTING' | 'RUNNING' | 'CANCELLING' | 'COMPLETED' | 'CANCELLED' | 'FAILED';

export interface ReplayRecord {
  readonly name: string;
  readonly description?: string | undefined;
  readonly archiveArn: string;
  readonly busArn: string;
  /** ARNs of the only rules that get the events; all of them when empty. */
  readonly rules: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly state: ReplayState;
  readonly reason?: string | undefined;
  readonly startedAt: number;
  readonly endedAt?: number | undefined;
  /** Time of the last event that was replayed. */
  readonly lastReplayed?: number | undefined;
  /** Key parts (time, id) of the last archived event that was looked at. */
  readonly cursor?: readonly [number, string] | undefined;
}

const ROOT = 'events';

export const busPrefix = ({ account, region }: Place): Key => [ROOT, 'bus', account, region];
export const busKey = (id: BusId): Key => [...busPrefix(id), id.bus];

export const rulePrefix = ({ account, region, bus }: BusId): Key => [ROOT, 'rule', account, region, bus];
export const ruleKey = (id: RuleId): Key => [...rulePrefix(id), id.rule];

/** When a scheduled rule comes next. */
export const nextKey = ({ account, region, bus, rule }: RuleId): Key => [ROOT, 'next', account, region, bus, rule];
export const RULES_DUE: Key = [ROOT, 'rule-due'];
/** Up to this time, every scheduled rule that became due did so while Kobune ran. */
export const RULES_HORIZON: Key = [ROOT, 'rule-horizon'];
/** Archives with a retention, and replays that ended, by when they are looked at again. */
export const HOUSEKEEPING_DUE: Key = [ROOT, 'housekeeping-due'];

export const archivePrefix = ({ account, region }: Place): Key => [ROOT, 'archive', account, region];
export const archiveKey = (place: Place, name: string): Key => [...archivePrefix(place), name];
export const archivedPrefix = ({ account, region }: Place, archiveId: string): Key => [
  ROOT,
  'archived',
  account,
  region,
  archiveId,
];
export const archivedKey = (place: Place, archiveId: string, time: number, id: string): Key => [
  ...archivedPrefix(place, archiveId),
  time,
  id,
];

export const replayPrefix = ({ account, region }: Place): Key => [ROOT, 'replay', account, region];
export const replayKey = (place: Place, name: string): Key => [...replayPrefix(place), name];
/** Replays of every account that have not ended. */
export const ACTIVE_REPLAYS: Key = [ROOT, 'replay-active'];
export const activeReplayKey = ({ account, region }: Place, name: string): Key => [
  ...ACTIVE_REPLAYS,
  account,
  region,
  name,
];

export const connectionPrefix = ({ account, region }: Place): Key => [ROOT, 'connection', account, region];
export const connectionKey = (place: Place, name: string): Key => [...connectionPrefix(place), name];
/** Connections whose token is being asked for. */
export const AUTHORIZING: Key = [ROOT, 'authorizing'];
export const authorizingKey = ({ account, region }: Place, name: string): Key => [
  ...AUTHORIZING,
  account,
  region,
  name,
];

export const destinationPrefix = ({ account, region }: Place): Key => [ROOT, 'api-destination', account, region];
export const destinationKey = (place: Place, name: string): Key => [...destinationPrefix(place), name];

export function busArn({ account, region, bus }: BusId): string {
  return `arn:aws:events:${region}:${account}:event-bus/${bus}`;
}

/** Rules of the default bus are named without it. */
export function ruleArn({ account, region, bus, rule }: RuleId): string {
  return `arn:aws:events:${region}:${account}:rule/${bus === DEFAULT_BUS ? '' : `${bus}/`}${rule}`;
}

export function archiveArn({ account, region }: Place, name: string): string {
  return `arn:aws:events:${region}:${account}:archive/${name}`;
}

export function replayArn({ account, region }: Place, name: string): string {
  return `arn:aws:events:${region}:${account}:replay/${name}`;
}

/** What an ARN of EventBridge names: `event-bus`, `rule` …, and the rest of it; `undefined` for others. */
export function parseEventsArn(text: string): (Place & { readonly type: string; readonly name: string }) | undefined {
  const arn = parseArn(text);
  const match = arn?.service === 'events' ? /^([a-z-]+)\/(.+)$/.exec(arn.resource) : null;
  if (!arn || !match) return undefined;
  return { account: arn.account, region: arn.region, type: match[1]!, name: match[2]! };
}

/** The bus that an ARN names. */
export function parseBusArn(text: string): BusId | undefined {
  const arn = parseEventsArn(text);
  return arn?.type === 'event-bus' ? { account: arn.account, region: arn.region, bus: arn.name } : undefined;
}

/** The rule that an ARN names. */
export function parseRuleArn(text: string): RuleId | undefined {
  const arn = parseEventsArn(text);
  if (arn?.type !== 'rule') return undefined;
  const slash = arn.name.lastIndexOf('/');
  return {
    account: arn.account,
    region: arn.region,
    bus: slash < 0 ? DEFAULT_BUS : arn.name.slice(0, slash),
    rule: arn.name.slice(slash + 1),
  };
}
