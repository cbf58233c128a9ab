import { ServiceError } from '../../base/errors.ts';

export function validation(message: string): ServiceError {
  return new ServiceError('ValidationException', message);
}

/** What AWS says of a member that does not fit its model. */
export function constraint(value: unknown, member: string, rule: string): ServiceError {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return validation(
    `1 validation error detected: Value '${shown}' at '${member}' failed to satisfy constraint: ${rule}`,
  );
}

export function parameterNotFound(name: string): ServiceError {
  return new ServiceError('ParameterNotFound', `Parameter ${name} not found.`);
}

export function versionNotFound(name: string, version: number): ServiceError {
  return new ServiceError(
    'ParameterVersionNotFound',
    `Systems Manager could not find version ${version} of ${name}. Verify the version and try again.`,
  );
}

export function labelNotFound(name: string, label: string): ServiceError {
  return new ServiceError(
    'ParameterVersionNotFound',
    `Systems Manager could not find label ${label} of ${name}. Verify the label and try again.`,
  );
}

export function refused(what: string, instead: string): ServiceError {
  return new ServiceError('NotImplemented', `${what} is not supported. ${instead}`, { status: 501 });
}
