import type { LifecycleRule } from '@aws-sdk/client-s3';
import type { Random } from '../../base/random.ts';
import { invalidArgument, invalidRequest, malformedXml, notImplemented } from './errors.ts';
import type { TagList } from './records.ts';

/** A rule as it is kept; times are epoch milliseconds. */
export interface StoredRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly prefix: string;
  /** True when the rule has the old top-level Prefix instead of a Filter. */
  readonly topLevelPrefix: boolean;
  readonly tags: TagList;
  readonly sizeAbove?: number;
  readonly sizeBelow?: number;
  readonly expiration?: { readonly days?: number; readonly date?: number; readonly deleteMarkers?: boolean };
  readonly noncurrent?: { readonly days: number; readonly keep?: number };
  readonly abortDays?: number;
}

const maxRules = 1000;
const day = 24 * 3600 * 1000;

/** Checks and reads rules. Source: S3 User Guide, "Lifecycle configuration elements". */
export function parseRules(rules: readonly LifecycleRule[], random: Random): readonly StoredRule[] {
  if (rules.length === 0 || rules.length > maxRules) throw malformedXml('from 1 to 1,000 rules');
  const parsed = rules.map((rule) => parseRule(rule, random));
  const ids = new Set(parsed.map(({ id }) => id));
  if (ids.size < parsed.length) throw invalidArgument('Rule ID must be unique. Found same ID for more than one rule');
  return parsed;
}

function parseRule(rule: LifecycleRule, random: Random): StoredRule {
  if (rule.Transitions !== undefined || rule.NoncurrentVersionTransitions !== undefined) {
    throw notImplemented(
      'Lifecycle transitions between storage classes',
      'expiration and aborting of uploads are there',
    );
  }
  if (rule.Status !== 'Enabled' && rule.Status !== 'Disabled') throw malformedXml('Status');
  if ((rule.ID?.length ?? 0) > 255) throw invalidArgument('ID length should not exceed allowed limit of 255');
  const filter = parseFilter(rule);
  const { Expiration, NoncurrentVersionExpiration, AbortIncompleteMultipartUpload } = rule;
  const expiration = Expiration && parseExpiration(Expiration);
  const noncurrent = NoncurrentVersionExpiration && parseNoncurrent(NoncurrentVersionExpiration);
  const abortDays = AbortIncompleteMultipartUpload?.DaysAfterInitiation;
  if (AbortIncompleteMultipartUpload)
    checkDays(abortDays, 'DaysAfterInitiation for AbortIncompleteMultipartUpload action');
  if (!expiration && !noncurrent && abortDays === undefined) {
    throw invalidRequest('At least one action needs to be specified in a rule');
  }
  if (filter.tags.length > 0 && expiration?.deleteMarkers) {
    throw invalidRequest('ExpiredObjectDeleteMarker cannot be specified with Tags.');
  }
  const narrowed = filter.tags.length > 0 || filter.sizeAbove !== undefined || filter.sizeBelow !== undefined;
  if (abortDays !== undefined && narrowed) {
    throw invalidRequest('AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes.');
  }
  return {
    id: rule.ID ?? random.uuid(),
    enabled: rule.Status === 'Enabled',
    ...filter,
    ...(expiration === undefined ? {} : { expiration }),
    ...(noncurrent === undefined ? {} : { noncurrent }),
    ...(abortDays === undefined ? {} : { abortDays }),
  };
}

type ParsedFilter = Pick<StoredRule, 'prefix' | 'topLevelPrefix' | 'tags' | 'sizeAbove' | 'sizeBelow'>;

function parseFilter(rule: LifecycleRule): ParsedFilter {
  if ((rule.Prefix === undefined) === (rule.Filter === undefined)) throw malformedXml('either Filter or Prefix');
  if (rule.Prefix !== undefined) return { prefix: rule.Prefix, topLevelPrefix: true, tags: [] };
  const { And, ...single } = rule.Filter ?? {};
  if (Object.values(single).filter((value) => value !== undefined).length > (And ? 0 : 1)) {
    throw malformedXml('a Filter has one condition, or And');
  }
  const conditions = And ?? { ...single, Tags: single.Tag ? [single.Tag] : [] };
  const { ObjectSizeGreaterThan: sizeAbove, ObjectSizeLessThan: sizeBelow } = conditions;
  if (sizeAbove !== undefined && sizeBelow !== undefined && sizeAbove >= sizeBelow) {
    throw invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.");
  }
  return {
    prefix: conditions.Prefix ?? '',
    topLevelPrefix: false,
    tags: (conditions.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value] as const),
    ...(sizeAbove === undefined ? {} : { sizeAbove }),
    ...(sizeBelow === undefined ? {} : { sizeBelow }),
  };
}

function parseExpiration(expiration: NonNullable<LifecycleRule['Expiration']>): NonNullable<StoredRule['expiration']> {
  const { Days: days, Date: date, ExpiredObjectDeleteMarker: deleteMarkers } = expiration;
  if ([days, date, deleteMarkers].filter((value) => value !== undefined).length !== 1) {
    throw malformedXml('one of Days, Date and ExpiredObjectDeleteMarker');
  }
  if (days !== undefined) checkDays(days, 'Expiration action');
  if (date !== undefined && date.getTime() % day !== 0) throw invalidArgument("'Date' must be at midnight GMT");
  return {
    ...(days === undefined ? {} : { days }),
    ...(date === undefined ? {} : { date: date.getTime() }),
    ...(deleteMarkers === undefined ? {} : { deleteMarkers }),
  };
}

function parseNoncurrent(
  expiration: NonNullable<LifecycleRule['NoncurrentVersionExpiration']>,
): NonNullable<StoredRule['noncurrent']> {
  const { NoncurrentDays: days, NewerNoncurrentVersions: keep } = expiration;
  checkDays(days, 'NoncurrentVersionExpiration action');
  if (keep !== undefined && (keep < 1 || keep > 100)) {
    throw invalidArgument("'NewerNoncurrentVersions' must be between 1 and 100");
  }
  return { days, ...(keep === undefined ? {} : { keep }) };
}

function checkDays(days: number | undefined, what: string): asserts days is number {
  if (days === undefined) throw malformedXml(`no days for ${what}`);
  if (!Number.isInteger(days) || days < 1) throw invalidArgument(`'Days' for ${what} must be a positive integer`);
}

/** Writes a rule as it was given. */
export function formatRule(rule: StoredRule): LifecycleRule {
  const { expiration, noncurrent } = rule;
  return {
    ID: rule.id,
    Status: rule.enabled ? 'Enabled' : 'Disabled',
    ...(rule.topLevelPrefix ? { Prefix: rule.prefix } : { Filter: formatFilter(rule) }),
    ...(expiration === undefined
      ? {}
      : {
          Expiration: {
            ...(expiration.days === undefined ? {} : { Days: expiration.days }),
            ...(expiration.date === undefined ? {} : { Date: new Date(expiration.date) }),
            ...(expiration.deleteMarkers === undefined ? {} : { ExpiredObjectDeleteMarker: expiration.deleteMarkers }),
          },
        }),
    ...(noncurrent === undefined
      ? {}
      : {
          NoncurrentVersionExpiration: {
            NoncurrentDays: noncurrent.days,
            ...(noncurrent.keep === undefined ? {} : { NewerNoncurrentVersions: noncurrent.keep }),
          },
        }),
    ...(rule.abortDays === undefined
      ? {}
      : { AbortIncompleteMultipartUpload: { DaysAfterInitiation: rule.abortDays } }),
  };
}

function formatFilter(rule: StoredRule): NonNullable<LifecycleRule['Filter']> {
  const tags = rule.tags.map(([Key, Value]) => ({ Key, Value }));
  const parts = {
    ...(rule.prefix === '' ? {} : { Prefix: rule.prefix }),
    ...(rule.sizeAbove === undefined ? {} : { ObjectSizeGreaterThan: rule.sizeAbove }),
    ...(rule.sizeBelow === undefined ? {} : { ObjectSizeLessThan: rule.sizeBelow }),
  };
  const count = Object.keys(parts).length + tags.length;
  if (count > 1) return { And: { ...parts, ...(tags.length === 0 ? {} : { Tags: tags }) } };
  if (tags[0]) return { Tag: tags[0] };
  return count === 0 ? { Prefix: '' } : parts;
}
