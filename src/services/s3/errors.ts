import { ServiceError } from '../../base/errors.ts';

/** Errors as the S3 API Reference, "Error responses", lists them. */

export function noSuchBucket(bucket: string): ServiceError {
  return new ServiceError('NoSuchBucket', 'The specified bucket does not exist', {
    status: 404,
    members: { BucketName: bucket },
  });
}

export function noSuchKey(key: string): ServiceError {
  return new ServiceError('NoSuchKey', 'The specified key does not exist.', { status: 404, members: { Key: key } });
}

export function noSuchVersion(key: string, versionId: string): ServiceError {
  return new ServiceError('NoSuchVersion', 'The specified version does not exist.', {
    status: 404,
    members: { Key: key, VersionId: versionId },
  });
}

export function noSuchUpload(uploadId: string): ServiceError {
  return new ServiceError(
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    { status: 404, members: { UploadId: uploadId } },
  );
}

export function accessDenied(detail?: string): ServiceError {
  return new ServiceError('AccessDenied', 'Access Denied', {
    status: 403,
    ...(detail === undefined ? {} : { detail }),
  });
}

export function invalidArgument(message: string, name?: string, value?: string): ServiceError {
  return new ServiceError('InvalidArgument', message, {
    members: name === undefined ? {} : { ArgumentName: name, ArgumentValue: value ?? '' },
  });
}

export function invalidRequest(message: string): ServiceError {
  return new ServiceError('InvalidRequest', message);
}

export function malformedXml(detail?: string): ServiceError {
  return new ServiceError(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
    detail === undefined ? {} : { detail },
  );
}

export function preconditionFailed(condition: string): ServiceError {
  return new ServiceError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    status: 412,
    members: { Condition: condition },
  });
}

/** Refuses something by name; `instead` says what is supported. */
export function notImplemented(what: string, instead: string): ServiceError {
  return new ServiceError('NotImplemented', `${what} is not supported: ${instead}`, { status: 501 });
}

export function methodNotAllowed(method: string, headers: Record<string, string>): ServiceError {
  return new ServiceError('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    status: 405,
    members: { Method: method, ResourceType: 'DeleteMarker' },
    headers: { allow: 'DELETE', ...headers },
  });
}
