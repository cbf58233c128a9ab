import { ServiceError } from '../../base/errors.ts';

export function invalid(message: string): ServiceError {
  return new ServiceError('ValidationException', message);
}

/** A member's value breaks a rule that the API's model has for it. */
export function violates(member: string, value: unknown, rule: string): ServiceError {
  return invalid(
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: Member must ${rule}`,
  );
}

export function scheduleNotFound(name: string): ServiceError {
  return new ServiceError('ResourceNotFoundException', `Schedule ${name} does not exist.`, { status: 404 });
}

export function groupNotFound(name: string): ServiceError {
  return new ServiceError('ResourceNotFoundException', `Schedule group ${name} does not exist.`, { status: 404 });
}

export function conflict(message: string): ServiceError {
  return new ServiceError('ConflictException', message, { status: 409 });
}

export function quotaExceeded(message: string): ServiceError {
  return new ServiceError('ServiceQuotaExceededException', message, { status: 402 });
}

/** Something that AWS has and that is not served here. */
export function refused(what: string, instead: string): ServiceError {
  return new ServiceError('NotImplemented', `${what} is not supported. ${instead}`, { status: 501 });
}
