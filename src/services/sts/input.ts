import { parseArn } from '../../base/arn.ts';
import { ServiceError } from '../../base/errors.ts';

/** The error that STS gives for a value outside its documented constraints. */
export function validationError(message: string): ServiceError {
  return new ServiceError('ValidationError', message);
}

/** Seconds within the documented range. */
export function checkDuration(value: number | undefined, fallback: number, maximum: number): number {
  const duration = value ?? fallback;
  if (duration < 900) {
    throw validationError(
      `1 validation error detected: Value '${duration}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900`,
    );
  }
  if (duration > maximum) {
    throw validationError(
      `1 validation error detected: Value '${duration}' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to ${maximum}`,
    );
  }
  return duration;
}

/** 2–64 characters of `[\w+=,.@-]`. */
export function checkSessionName(name: string): string {
  if (/^[\w+=,.@-]{2,64}$/.test(name)) return name;
  throw validationError(
    `1 validation error detected: Value '${name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*, length 2 to 64`,
  );
}

/** The account in a role's ARN. */
export function accountOfRole(roleArn: string): string {
  const arn = parseArn(roleArn);
  if (arn?.service === 'iam' && /^\d{12}$/.test(arn.account) && /^role\/[\w+=,.@/-]+$/.test(arn.resource)) {
    return arn.account;
  }
  throw validationError(`${roleArn} is invalid`);
}

/** Session tags: at most 50, keys unique without case. Source: IAM User Guide, "Pass session tags in AWS STS". */
export function checkTags(
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined,
): Record<string, string> {
  const result: Record<string, string> = {};
  const seen = new Set<string>();
  if ((tags?.length ?? 0) > 50) throw validationError('Too many session tags: at most 50 are allowed.');
  for (const { Key: key = '', Value: value = '' } of tags ?? []) {
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)) {
      throw validationError(`Invalid session tag: ${key}`);
    }
    if (seen.has(key.toLowerCase())) {
      throw new ServiceError(
        'InvalidParameterValue',
        'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
      );
    }
    seen.add(key.toLowerCase());
    result[key] = value;
  }
  return result;
}
