import { ServiceError } from '../../base/errors.ts';
import { noSuchKey, notImplemented, preconditionFailed } from './errors.ts';
import type { ObjectRecord, VersionRecord } from './records.ts';

/** Conditions of a read, or of a copy's source. */
export interface ReadConditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: Date | undefined;
  readonly ifUnmodifiedSince?: Date | undefined;
}

/** True when one of the entity tags listed in an If-Match or If-None-Match header is `etag`, or `*`. */
export function matchesEtag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((candidate) => {
    const text = candidate.trim().replace(/^W\//, '');
    return text === etag || text === `"${etag}"`;
  });
}

/**
 * What the conditions make of this object. If-Match decides over If-Unmodified-Since and If-None-Match over
 * If-Modified-Since. Source: S3 API Reference, "GetObject"; RFC 7232, section 6.
 */
export function evaluateRead(
  conditions: ReadConditions,
  object: ObjectRecord,
): { readonly result: 'ok' } | { readonly result: 'failed' | 'not-modified'; readonly condition: string } {
  // HTTP dates have whole seconds.
  const modified = Math.floor(object.lastModified / 1000) * 1000;
  if (conditions.ifMatch !== undefined) {
    if (!matchesEtag(conditions.ifMatch, object.etag)) return { result: 'failed', condition: 'If-Match' };
  } else if (conditions.ifUnmodifiedSince && modified > conditions.ifUnmodifiedSince.getTime()) {
    return { result: 'failed', condition: 'If-Unmodified-Since' };
  }
  if (conditions.ifNoneMatch !== undefined) {
    if (matchesEtag(conditions.ifNoneMatch, object.etag)) return { result: 'not-modified', condition: 'If-None-Match' };
  } else if (conditions.ifModifiedSince && modified <= conditions.ifModifiedSince.getTime()) {
    return { result: 'not-modified', condition: 'If-Modified-Since' };
  }
  return { result: 'ok' };
}

/** Throws 412 or 304 when a GetObject or HeadObject must not answer with the object. */
export function checkRead(conditions: ReadConditions, object: ObjectRecord): void {
  const verdict = evaluateRead(conditions, object);
  if (verdict.result === 'ok') return;
  if (verdict.result === 'failed') throw preconditionFailed(verdict.condition);
  throw new ServiceError('NotModified', 'Not Modified', {
    status: 304,
    headers: { etag: `"${object.etag}"`, 'last-modified': new Date(object.lastModified).toUTCString() },
  });
}

/** Throws 412 when a copy's source does not meet its conditions. */
export function checkCopySource(conditions: ReadConditions, object: ObjectRecord): void {
  const verdict = evaluateRead(conditions, object);
  if (verdict.result !== 'ok') throw preconditionFailed(`x-amz-copy-source-${verdict.condition}`);
}

/** Conditions of a write. */
export interface WriteConditions {
  readonly IfMatch?: string | undefined;
  readonly IfNoneMatch?: string | undefined;
}

/** Throws for conditions that S3 does not know, before a body is read. */
export function checkWriteConditionForm(conditions: WriteConditions): void {
  if (conditions.IfNoneMatch !== undefined && conditions.IfNoneMatch !== '*') {
    throw notImplemented('If-None-Match with an entity tag on a write', 'only If-None-Match: * is defined');
  }
  if (conditions.IfMatch !== undefined && conditions.IfNoneMatch !== undefined) {
    throw notImplemented('If-Match together with If-None-Match on a write', 'give one of them');
  }
}

/**
 * Throws unless the newest version meets the conditions of a write that would replace it.
 * Source: S3 User Guide, "How to prevent object overwrites with conditional writes".
 */
export function checkWrite(conditions: WriteConditions, key: string, current: VersionRecord | undefined): void {
  const object = current?.deleteMarker ? undefined : current;
  if (conditions.IfNoneMatch !== undefined && object) throw preconditionFailed('If-None-Match');
  if (conditions.IfMatch !== undefined) {
    if (!object) throw noSuchKey(key);
    if (!matchesEtag(conditions.IfMatch, object.etag)) throw preconditionFailed('If-Match');
  }
}
