import { ServiceError } from '../../base/errors.ts';

/** The errors that SQS documents. The names are those of its JSON protocol; the wire adds the ones of the query protocol. */

export const queueDoesNotExist = () =>
  new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.', { status: 400 });

export const invalidAddress = (url: string) =>
  new ServiceError('InvalidAddress', `The address ${url} is not valid for this endpoint.`, { status: 404 });

export const invalidParameterValue = (message: string) => new ServiceError('InvalidParameterValue', message);

/** A value for a parameter that is out of its range or form; the reason ends with a full stop. */
export const invalidValue = (value: unknown, parameter: string, reason: string) =>
  invalidParameterValue(`Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`);

export const invalidAttributeValue = (attribute: string) =>
  new ServiceError('InvalidAttributeValue', `Invalid value for the parameter ${attribute}.`);

export const invalidAttributeName = (attribute: string) =>
  new ServiceError('InvalidAttributeName', `Unknown Attribute ${attribute}.`);

export const missingParameter = (name: string) =>
  new ServiceError('MissingParameter', `The request must contain the parameter ${name}.`);

export const invalidMessageContents = (what: string) =>
  new ServiceError(
    'InvalidMessageContents',
    `Invalid characters found in ${what}. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.`,
  );

export const receiptHandleIsInvalid = (handle: string) =>
  new ServiceError('ReceiptHandleIsInvalid', `The input receipt handle "${handle}" is not a valid receipt handle.`, {
    status: 404,
  });

export const unsupportedOperation = (message: string) => new ServiceError('UnsupportedOperation', message);

export const resourceNotFound = (message: string) =>
  new ServiceError('ResourceNotFoundException', message, { status: 404 });

export const overLimit = (message: string) => new ServiceError('OverLimit', message, { status: 403 });

export const throttled = () =>
  new ServiceError('RequestThrottled', 'Rate exceeded: the queue takes no more requests of this kind at the moment.', {
    status: 403,
  });
