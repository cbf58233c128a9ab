import { ServiceError } from '../../base/errors.ts';

export function groupNotFound(): ServiceError {
  return new ServiceError('ResourceNotFoundException', 'The specified log group does not exist.');
}

export function streamNotFound(): ServiceError {
  return new ServiceError('ResourceNotFoundException', 'The specified log stream does not exist.');
}

export function alreadyExists(what: 'log group' | 'log stream'): ServiceError {
  return new ServiceError('ResourceAlreadyExistsException', `The specified ${what} already exists`);
}

export function invalidParameter(message: string): ServiceError {
  return new ServiceError('InvalidParameterException', message);
}

export function refused(what: string, instead: string): ServiceError {
  return new ServiceError('NotImplemented', `${what} is not supported. ${instead}`, { status: 501 });
}
