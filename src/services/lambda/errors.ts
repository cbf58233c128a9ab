import { ServiceError } from '../../base/errors.ts';

/** Lambda's errors carry `Type: User` when the caller is at fault. Source: Lambda API Reference, "Errors" of each operation. */
const USER = { Type: 'User' };

export const invalidParameter = (message: string): ServiceError =>
  new ServiceError('InvalidParameterValueException', message, { members: USER });

/** What the API's own model rejects before the operation sees it. */
export const validation = (message: string): ServiceError => new ServiceError('ValidationException', message);

export const notFound = (message: string): ServiceError =>
  new ServiceError('ResourceNotFoundException', message, { status: 404, members: USER });

export const functionNotFound = (arn: string): ServiceError => notFound(`Function not found: ${arn}`);

export const conflict = (message: string): ServiceError =>
  new ServiceError('ResourceConflictException', message, { status: 409, members: USER });

export const preconditionFailed = (): ServiceError =>
  new ServiceError(
    'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
    { status: 412, members: USER },
  );

export const tooLarge = (message: string): ServiceError =>
  new ServiceError('RequestTooLargeException', message, { status: 413, members: USER });

export const invalidRequestContent = (message: string): ServiceError =>
  new ServiceError('InvalidRequestContentException', message, { members: USER });

/** Source: Lambda API Reference, "Invoke", errors. */
export const recursiveInvocation = (): ServiceError =>
  new ServiceError(
    'RecursiveInvocationException',
    "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your function's invocation.",
    { members: USER },
  );

export type ThrottleReason =
  | 'ConcurrentInvocationLimitExceeded'
  | 'ReservedFunctionConcurrentInvocationLimitExceeded'
  | 'CallerRateLimitExceeded';

export const throttled = (reason: ThrottleReason): ServiceError =>
  new ServiceError('TooManyRequestsException', 'Rate Exceeded.', {
    status: 429,
    members: { ...USER, Reason: reason, retryAfterSeconds: '1' },
    headers: { 'retry-after': '1' },
  });

export const accessDenied = (message: string): ServiceError =>
  new ServiceError('AccessDeniedException', message, { status: 403, members: USER });

/** A parameter whose feature is not there: refused by name, whatever the value would have done. */
export const unsupported = (parameter: string, instead: string): ServiceError =>
  new ServiceError('NotImplemented', `${parameter} is not supported: ${instead}`, { status: 501 });
