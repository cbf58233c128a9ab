import { ServiceError } from '../../base/errors.ts';

/** The errors that SNS documents, by the codes of its query protocol. Source: SNS API Reference, "Common Errors" and each action. */

/** `InvalidParameter`: the message always begins with "Invalid parameter: ". */
export const invalidParameter = (what: string): ServiceError =>
  new ServiceError('InvalidParameter', `Invalid parameter: ${what}`);

/** `ParameterValueInvalid`: something is wrong with a message's attributes. */
export const invalidValue = (message: string): ServiceError => new ServiceError('ParameterValueInvalid', message);

export const notFound = (what: string): ServiceError =>
  new ServiceError('NotFound', `${what} does not exist`, { status: 404 });

export const resourceNotFound = (): ServiceError =>
  new ServiceError('ResourceNotFound', 'Resource does not exist', { status: 404 });

export const notAuthorized = (message: string): ServiceError =>
  new ServiceError('AuthorizationError', message, { status: 403 });

export const endpointDisabled = (): ServiceError => new ServiceError('EndpointDisabled', 'Endpoint is disabled');

export const limitExceeded = (code: string, message: string): ServiceError =>
  new ServiceError(code, message, { status: 403 });

/** Something that AWS has and that is not served here. */
export const refused = (what: string, instead: string): ServiceError =>
  new ServiceError('NotImplemented', `${what} is not supported. ${instead}`, { status: 501 });
