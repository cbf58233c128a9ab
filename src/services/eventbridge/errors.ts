import { ServiceError } from '../../base/errors.ts';

/** What the API's own rules reject. */
export function invalid(message: string): ServiceError {
  return new ServiceError('ValidationException', message);
}

/** A parameter that has the right form but the wrong content. */
export function invalidParameter(parameter: string, reason: string): ServiceError {
  return invalid(`Parameter ${parameter} is not valid. Reason: ${reason}`);
}

export function notFound(message: string): ServiceError {
  return new ServiceError('ResourceNotFoundException', message);
}

export function busNotFound(name: string): ServiceError {
  return notFound(`Event bus ${name} does not exist.`);
}

export function ruleNotFound(name: string, bus: string): ServiceError {
  return notFound(`Rule ${name} does not exist on EventBus ${bus}.`);
}

export function alreadyExists(what: string, name: string): ServiceError {
  return new ServiceError('ResourceAlreadyExistsException', `${what} ${name} already exists.`);
}

export function limitExceeded(): ServiceError {
  return new ServiceError('LimitExceededException', 'The requested resource exceeds the maximum number allowed.');
}

export function illegalStatus(message: string): ServiceError {
  return new ServiceError('IllegalStatusException', message);
}

/** Something that AWS has and that is not served here. */
export function refused(what: string, instead: string): ServiceError {
  return new ServiceError('NotImplemented', `${what} is not supported. ${instead}`, { status: 501 });
}
