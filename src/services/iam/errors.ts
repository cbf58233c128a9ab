import { ServiceError } from '../../base/errors.ts';

export const noSuchEntity = (message: string): ServiceError =>
  new ServiceError('NoSuchEntity', message, { status: 404 });

export const alreadyExists = (message: string): ServiceError =>
  new ServiceError('EntityAlreadyExists', message, { status: 409 });

export const deleteConflict = (message: string): ServiceError =>
  new ServiceError('DeleteConflict', message, { status: 409 });

export const limitExceeded = (message: string): ServiceError =>
  new ServiceError('LimitExceeded', message, { status: 409 });

export const invalidInput = (message: string): ServiceError => new ServiceError('InvalidInput', message);

export const validationError = (message: string): ServiceError => new ServiceError('ValidationError', message);

/** Refuses, by name, members of an input that would have no effect. */
export function refuseMember(value: unknown, name: string, reason: string): void {
  if (value !== undefined) throw new ServiceError('NotImplemented', `${name}: ${reason}`, { status: 501 });
}
