import { ServiceError } from '../../base/errors.ts';

export const notFound = (message: string): ServiceError => new ServiceError('NotFoundException', message);
export const keyNotFound = (arn: string): ServiceError => notFound(`Key '${arn}' does not exist`);
export const invalidState = (message: string): ServiceError => new ServiceError('KMSInvalidStateException', message);
export const invalidKeyUsage = (message: string): ServiceError => new ServiceError('InvalidKeyUsageException', message);
export const invalidCiphertext = (): ServiceError => new ServiceError('InvalidCiphertextException', '');
export const incorrectKey = (): ServiceError =>
  new ServiceError(
    'IncorrectKeyException',
    'The key ID in the request does not identify a CMK that can perform this operation.',
  );
export const unsupported = (message: string): ServiceError =>
  new ServiceError('UnsupportedOperationException', message);
export const accessDenied = (message: string): ServiceError => new ServiceError('AccessDeniedException', message);
export const validation = (message: string): ServiceError => new ServiceError('ValidationException', message);
export const invalidArn = (message: string): ServiceError => new ServiceError('InvalidArnException', message);
export const limitExceeded = (message: string): ServiceError => new ServiceError('LimitExceededException', message);
export const malformedPolicy = (message: string): ServiceError =>
  new ServiceError('MalformedPolicyDocumentException', message);

/** A member that breaks a rule of the API's model, told as AWS tells it. */
export function constraint(member: string, rule: string, value = ''): ServiceError {
  return validation(`1 validation error detected: Value ${value}at '${member}' failed to satisfy constraint: ${rule}`);
}

/** Throws ValidationException unless the text or bytes are as long as the API's model wants them. */
export function checkLength(member: string, length: number, minimum: number, maximum: number): void {
  if (length < minimum) {
    throw constraint(member, `Member must have length greater than or equal to ${minimum}`);
  }
  if (length > maximum) throw constraint(member, `Member must have length less than or equal to ${maximum}`);
}

/** Throws ValidationException unless the number is within the API model's bounds. */
export function checkRange(member: string, value: number, minimum: number, maximum: number): void {
  if (value < minimum) {
    throw constraint(member, `Member must have value greater than or equal to ${minimum}`, `'${value}' `);
  }
  if (value > maximum)
    throw constraint(member, `Member must have value less than or equal to ${maximum}`, `'${value}' `);
}

/** Throws ValidationException unless the value is one of the API model's. */
export function checkEnum(member: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) {
    throw constraint(member, `Member must satisfy enum value set: [${values.join(', ')}]`, `'${value}' `);
  }
}
