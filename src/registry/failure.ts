import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { json, type Reply } from './reply.ts';

/** Source: OCI Distribution Specification 1.1, "Error Codes". */
const CODES = new Set([
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
]);

/** Codes that ECR's registries give beyond those, by what services call it. */
const OF_ECR: ReadonlyMap<string, string> = new Map([['ImageTagAlreadyExistsException', 'TAG_INVALID']]);

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

/** The answer to a request that failed. */
export function failureReply(error: unknown, requestId: string, logger: Logger): Reply {
  if (error instanceof ServiceError) return known(error);
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOSPC') {
    return errors([{ code: 'UNKNOWN', message: 'there is no space left for this on the disk of the registry' }], 507);
  }
  logger.error('a request to the registry failed unexpectedly', {
    requestId,
    error: error instanceof Error ? error.stack : String(error),
  });
  return errors([{ code: 'UNKNOWN', message: `internal error; the log has more under request ${requestId}` }], 500);
}

function known({ code, message, status, members, headers }: ServiceError): Reply {
  const failure: Failure = {
    code: CODES.has(code) ? code : (OF_ECR.get(code) ?? codeFor(status)),
    message,
    ...('detail' in members ? { detail: members.detail } : {}),
  };
  const several = Array.isArray(members.errors) ? (members.errors as readonly Partial<Failure>[]) : [{}];
  return errors(
    several.map((one) => ({ ...failure, ...one })),
    status,
    headers,
  );
}

/** What services refuse in their own words is "denied" in those of the registry. */
function codeFor(status: number): string {
  if (status >= 500) return 'UNKNOWN';
  if (status === 429) return 'TOOMANYREQUESTS';
  return status === 404 ? 'NAME_UNKNOWN' : 'DENIED';
}

function errors(list: readonly Failure[], status: number, headers: Readonly<Record<string, string>> = {}): Reply {
  return json({ errors: list }, headers, status);
}
