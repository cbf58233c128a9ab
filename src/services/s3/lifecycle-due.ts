import type { StoredRule } from './lifecycle-rules.ts';
import type { ObjectRecord, VersionRecord } from './records.ts';

const day = 24 * 3600 * 1000;

/** `time` plus whole days, rounded up to midnight UTC. Source: S3 User Guide, "Expiring objects". */
export function midnightAfter(time: number, days: number): number {
  return Math.ceil((time + days * day) / day) * day;
}

/** The last midnight UTC at or before `time`. */
export function lastMidnight(time: number): number {
  return Math.floor(time / day) * day;
}

/** The first midnight UTC after `time`. */
export function nextMidnight(time: number): number {
  return lastMidnight(time) + day;
}

export interface Due {
  readonly time: number;
  readonly ruleId: string;
}

function earliest(dues: Iterable<Due>): Due | undefined {
  let first: Due | undefined;
  for (const due of dues) if (!first || due.time < first.time) first = due;
  return first;
}

function* enabledFor(rules: readonly StoredRule[], key: string): Generator<StoredRule> {
  for (const rule of rules) if (rule.enabled && key.startsWith(rule.prefix)) yield rule;
}

function matchesObject(rule: StoredRule, object: ObjectRecord): boolean {
  if (rule.sizeAbove !== undefined && object.size <= rule.sizeAbove) return false;
  if (rule.sizeBelow !== undefined && object.size >= rule.sizeBelow) return false;
  const tags = object.tags ?? [];
  return rule.tags.every(([key, value]) => tags.some((tag) => tag[0] === key && tag[1] === value));
}

/** When the newest version of a key expires; the earliest rule counts. */
export function expirationOf(rules: readonly StoredRule[], key: string, object: ObjectRecord): Due | undefined {
  return earliest(
    (function* () {
      for (const rule of enabledFor(rules, key)) {
        const { days, date } = rule.expiration ?? {};
        if (!matchesObject(rule, object)) continue;
        if (days !== undefined) yield { time: midnightAfter(object.lastModified, days), ruleId: rule.id };
        else if (date !== undefined) yield { time: date, ruleId: rule.id };
      }
    })(),
  );
}

/** When a delete marker goes that has no versions under it any more. */
export function markerExpirationOf(rules: readonly StoredRule[], key: string, marker: VersionRecord): Due | undefined {
  return earliest(
    (function* () {
      for (const rule of enabledFor(rules, key)) {
        if (rule.tags.length > 0 || rule.sizeAbove !== undefined || rule.sizeBelow !== undefined) continue;
        const { days, date, deleteMarkers } = rule.expiration ?? {};
        if (deleteMarkers) yield { time: marker.lastModified, ruleId: rule.id };
        else if (days !== undefined) yield { time: midnightAfter(marker.lastModified, days), ruleId: rule.id };
        else if (date !== undefined) yield { time: date, ruleId: rule.id };
      }
    })(),
  );
}

/** When a noncurrent version goes. `newer` noncurrent versions of its key were made after it. */
export function noncurrentExpirationOf(
  rules: readonly StoredRule[],
  key: string,
  version: VersionRecord,
  newer: number,
): Due | undefined {
  return earliest(
    (function* () {
      for (const rule of enabledFor(rules, key)) {
        if (!rule.noncurrent || newer < (rule.noncurrent.keep ?? 0)) continue;
        if (version.deleteMarker ? rule.tags.length > 0 : !matchesObject(rule, version)) continue;
        yield {
          time: midnightAfter(version.noncurrentSince ?? version.lastModified, rule.noncurrent.days),
          ruleId: rule.id,
        };
      }
    })(),
  );
}

/** When an upload that nobody completes is aborted. */
export function abortOf(rules: readonly StoredRule[], key: string, initiatedAt: number): Due | undefined {
  return earliest(
    (function* () {
      for (const rule of enabledFor(rules, key)) {
        if (rule.abortDays !== undefined) yield { time: midnightAfter(initiatedAt, rule.abortDays), ruleId: rule.id };
      }
    })(),
  );
}
