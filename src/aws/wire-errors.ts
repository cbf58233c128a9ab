import { ServiceError } from '../base/errors.ts';
import type { Dialect } from './protocols/protocol.ts';
import type { LoadedModel } from './schema/model.ts';

/**
 * What the wire itself finds wrong with a request, under the name and status that each kind of service uses. Sources:
 * the "Common Errors" page of each service's API reference; S3's "Error responses"; EC2's "Error codes".
 */
export type WireProblem =
  | 'malformed'
  | 'missingToken'
  | 'incompleteSignature'
  | 'unknownKey'
  | 'badSignature'
  | 'badToken'
  | 'expiredToken'
  | 'skewed'
  | 'accessDenied'
  | 'unknownOperation'
  | 'tooLarge'
  | 'notImplemented'
  | 'internal';

type Names = Readonly<Record<WireProblem, readonly [code: string, status: number]>>;

const json: Names = {
  malformed: ['SerializationException', 400],
  missingToken: ['MissingAuthenticationTokenException', 403],
  incompleteSignature: ['IncompleteSignatureException', 403],
  unknownKey: ['UnrecognizedClientException', 403],
  badSignature: ['InvalidSignatureException', 403],
  badToken: ['UnrecognizedClientException', 403],
  expiredToken: ['ExpiredTokenException', 403],
  skewed: ['InvalidSignatureException', 403],
  accessDenied: ['AccessDeniedException', 403],
  unknownOperation: ['UnknownOperationException', 404],
  tooLarge: ['RequestEntityTooLargeException', 413],
  notImplemented: ['NotImplemented', 501],
  internal: ['InternalFailure', 500],
};

const names: Readonly<Record<Dialect, Names>> = {
  restJson: json,
  // The services that speak awsJson and CBOR answer 400 where the REST ones answer 403.
  awsJson: {
    ...json,
    missingToken: ['MissingAuthenticationTokenException', 400],
    incompleteSignature: ['IncompleteSignatureException', 400],
    unknownKey: ['UnrecognizedClientException', 400],
    badSignature: ['InvalidSignatureException', 400],
    badToken: ['UnrecognizedClientException', 400],
    expiredToken: ['ExpiredTokenException', 400],
    skewed: ['InvalidSignatureException', 400],
    accessDenied: ['AccessDeniedException', 400],
  },
  cbor: { ...json, accessDenied: ['AccessDeniedException', 403] },
  query: {
    malformed: ['MalformedInput', 400],
    missingToken: ['MissingAuthenticationToken', 403],
    incompleteSignature: ['IncompleteSignature', 400],
    unknownKey: ['InvalidClientTokenId', 403],
    badSignature: ['SignatureDoesNotMatch', 403],
    badToken: ['InvalidClientTokenId', 403],
    expiredToken: ['ExpiredToken', 403],
    skewed: ['SignatureDoesNotMatch', 403],
    accessDenied: ['AccessDenied', 403],
    unknownOperation: ['InvalidAction', 400],
    tooLarge: ['RequestEntityTooLarge', 413],
    notImplemented: ['NotImplemented', 501],
    internal: ['InternalFailure', 500],
  },
  ec2: {
    malformed: ['InvalidParameterValue', 400],
    missingToken: ['MissingAuthenticationToken', 403],
    incompleteSignature: ['IncompleteSignature', 400],
    unknownKey: ['AuthFailure', 401],
    badSignature: ['SignatureDoesNotMatch', 403],
    badToken: ['AuthFailure', 401],
    expiredToken: ['RequestExpired', 400],
    skewed: ['RequestExpired', 400],
    accessDenied: ['UnauthorizedOperation', 403],
    unknownOperation: ['InvalidAction', 400],
    tooLarge: ['RequestEntityTooLarge', 413],
    notImplemented: ['NotImplemented', 501],
    internal: ['InternalError', 500],
  },
  s3: {
    malformed: ['InvalidArgument', 400],
    missingToken: ['AccessDenied', 403],
    incompleteSignature: ['AuthorizationHeaderMalformed', 400],
    unknownKey: ['InvalidAccessKeyId', 403],
    badSignature: ['SignatureDoesNotMatch', 403],
    badToken: ['InvalidToken', 400],
    expiredToken: ['ExpiredToken', 400],
    skewed: ['RequestTimeTooSkewed', 403],
    accessDenied: ['AccessDenied', 403],
    unknownOperation: ['MethodNotAllowed', 405],
    tooLarge: ['EntityTooLarge', 400],
    notImplemented: ['NotImplemented', 501],
    internal: ['InternalError', 500],
  },
};

/** Longest part of a client's own text that a message repeats. */
const maximumQuote = 200;

export function wireError(
  dialect: Dialect,
  problem: WireProblem,
  message: string,
  members?: Readonly<Record<string, unknown>>,
): ServiceError {
  const [code, status] = names[dialect][problem];
  return new ServiceError(code, message, { status, ...(members && { members }) });
}

/**
 * The name that this kind of service gives an error that another part threw under its general name; `accessDenied`: the
 * service's own name for it.
 */
export function inDialect(dialect: Dialect, error: ServiceError, accessDenied?: string): ServiceError {
  const [usual, status] = names[dialect].accessDenied;
  const code = accessDenied ?? usual;
  if (error.code !== 'AccessDenied' || code === 'AccessDenied') return error;
  return new ServiceError(code, error.message, {
    status,
    members: error.members,
    headers: error.headers,
    ...(error.detail !== undefined && { detail: error.detail }),
    cause: error,
  });
}

/** The request names an operation that the service does not have. */
export function unknownOperation(dialect: Dialect, name: string, model: LoadedModel): ServiceError {
  const quoted = name.slice(0, maximumQuote);
  switch (dialect) {
    case 's3':
      return wireError(
        dialect,
        'unknownOperation',
        `The specified method is not allowed against this resource: ${quoted}`,
      );
    case 'ec2':
      return wireError(dialect, 'unknownOperation', `The action ${quoted} is not valid for this web service.`);
    case 'query':
      return wireError(
        dialect,
        'unknownOperation',
        `Could not find operation ${quoted} for version ${model.service.version}`,
      );
    default:
      return wireError(dialect, 'unknownOperation', `${model.service.name} has no operation for ${quoted}`);
  }
}

/** Required members are missing. `paths` are as `RequiredMembers` gives them. */
export function missingMembers(dialect: Dialect, model: LoadedModel, paths: readonly string[]): ServiceError {
  const { missingMember } = model.service;
  if (missingMember?.style === 'parameter' || dialect === 'ec2') {
    const first = paths[0]!;
    const name = first.charAt(0).toUpperCase() + first.slice(1);
    return new ServiceError(
      missingMember?.code ?? 'MissingParameter',
      `The request must contain the parameter ${name}.`,
    );
  }
  if (dialect === 's3') {
    const inBody = paths.some((path) => path.includes('.'));
    return inBody
      ? malformedXml()
      : new ServiceError('InvalidRequest', `Missing required parameter: ${paths.join(', ')}`);
  }
  const list = paths.map((path) => `Value null at '${path}' failed to satisfy constraint: Member must not be null`);
  const errors = paths.length === 1 ? '1 validation error' : `${paths.length} validation errors`;
  const code = missingMember?.code ?? (dialect === 'query' ? 'ValidationError' : 'ValidationException');
  return new ServiceError(code, `${errors} detected: ${list.join('; ')}`);
}

export function malformedXml(detail?: string): ServiceError {
  return new ServiceError(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
    detail === undefined ? {} : { detail },
  );
}
