import { ServiceError } from '../../base/errors.ts';
import type { RepositoryId } from './records.ts';

/** The messages are those that ECR is known to give. */

export function repositoryNotFound({ account, name }: Pick<RepositoryId, 'account' | 'name'>): ServiceError {
  return new ServiceError(
    'RepositoryNotFoundException',
    `The repository with name '${name}' does not exist in the registry with id '${account}'`,
  );
}

export function invalidParameter(message: string): ServiceError {
  return new ServiceError('InvalidParameterException', message);
}

/** A member that does not fit what ECR's model says of it. */
export function constraint(member: string, rule: string): ServiceError {
  return invalidParameter(`Invalid parameter at '${member}' failed to satisfy constraint: '${rule}'`);
}

export function refused(what: string, instead: string): ServiceError {
  return new ServiceError('NotImplemented', `${what} is not supported. ${instead}`, { status: 501 });
}
