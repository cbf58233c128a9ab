import { ServiceError } from '../../base/errors.ts';
import { parseEcrRepository } from './registry-host.ts';

/** Errors of the OCI Distribution Specification 1.1, "Error Codes". */

const withDetail = (detail: unknown) => ({ members: { detail } });

export const nameInvalid = (name: string): ServiceError =>
  new ServiceError('NAME_INVALID', 'invalid repository name', { status: 400, ...withDetail({ name: short(name) }) });

/** In ECR's words, where it is one of its repositories: they say what to look for, and where. */
export function nameUnknown(name: string): ServiceError {
  const ecr = parseEcrRepository(name);
  const message = ecr
    ? `The repository with name '${ecr.name}' does not exist in the registry with id '${ecr.account}'`
    : `repository name not known to registry: ${name}`;
  return new ServiceError('NAME_UNKNOWN', message, { status: 404, ...withDetail({ name }) });
}

export const manifestUnknown = (reference: string): ServiceError =>
  new ServiceError('MANIFEST_UNKNOWN', `manifest unknown: ${short(reference)}`, {
    status: 404,
    ...withDetail({ reference: short(reference) }),
  });

export const manifestInvalid = (message: string): ServiceError =>
  new ServiceError('MANIFEST_INVALID', `manifest invalid: ${message}`, { status: 400 });

/** One error for each thing that is missing. */
export const manifestBlobUnknown = (digests: readonly string[]): ServiceError =>
  new ServiceError('MANIFEST_BLOB_UNKNOWN', 'manifest references a manifest or blob unknown to registry', {
    status: 404,
    members: { errors: digests.map((digest) => ({ detail: { digest } })) },
  });

export const blobUnknown = (digest: string): ServiceError =>
  new ServiceError('BLOB_UNKNOWN', 'blob unknown to registry', {
    status: 404,
    ...withDetail({ digest: short(digest) }),
  });

export const uploadUnknown = (): ServiceError =>
  new ServiceError('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry', { status: 404 });

/** A chunk that does not begin where the upload stands. */
export const outOfOrder = (offset: number): ServiceError =>
  new ServiceError('BLOB_UPLOAD_INVALID', `the next chunk of this upload begins at byte ${offset}`, {
    status: 416,
    members: { detail: { offset }, offset },
  });

export const uploadSuperseded = (): ServiceError =>
  new ServiceError('BLOB_UPLOAD_INVALID', 'another request goes on with this upload', { status: 400 });

export const digestInvalid = (message: string, detail?: unknown): ServiceError =>
  new ServiceError('DIGEST_INVALID', message, { status: 400, ...(detail === undefined ? {} : withDetail(detail)) });

export const digestMalformed = (digest: string): ServiceError =>
  digestInvalid('this is not a digest of algorithm sha256 or sha512', { digest: short(digest) });

export const digestMismatch = (expected: string): ServiceError =>
  digestInvalid('provided digest did not match uploaded content', { digest: expected });

export const sizeInvalid = (message: string): ServiceError =>
  new ServiceError('SIZE_INVALID', message, { status: 400 });

/** It cannot be deleted as long as something else is made of it. */
export const inUse = (what: string, by: string): ServiceError =>
  new ServiceError('DENIED', `${what} is part of ${by}; delete that first`, { status: 405, ...withDetail({ by }) });

/** What a client made up must not fill the answer. */
function short(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
}
