'use strict';
// Errors as Lambda's Node.js runtime reports them. Source: Lambda Developer Guide, "Understanding Lambda function
// errors in Node.js": { errorType, errorMessage, trace }.

class RuntimeError extends Error {
  constructor(name, message, source) {
    super(message);
    // Not enumerable: the log shows an error's own properties.
    Object.defineProperty(this, 'name', { value: `Runtime.${name}` });
    if (source && typeof source.stack === 'string') this.stack = source.stack;
  }
}

function looksLikeError(value) {
  return (
    value instanceof Error ||
    (typeof value === 'object' &&
      value !== null &&
      typeof value.name === 'string' &&
      typeof value.message === 'string' &&
      typeof value.stack === 'string')
  );
}

/** What the caller of the function receives. */
function toResponse(error) {
  try {
    if (looksLikeError(error)) {
      return { errorType: error.name, errorMessage: error.message, trace: String(error.stack ?? '').split('\n') };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

/** What the log shows: the error's own enumerable properties too. */
function toLog(error) {
  const subject = error instanceof Error ? error : new Error(error);
  try {
    return JSON.stringify(subject, (_key, value) => {
      if (!(value instanceof Error)) return value;
      const shown = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
      if (typeof value.stack === 'string') shown.stack = value.stack.split('\n');
      return shown;
    });
  } catch {
    return JSON.stringify(toResponse(error));
  }
}

function unhandledRejection(reason, promise) {
  const error = new RuntimeError('UnhandledPromiseRejection', String(reason));
  error.reason = reason;
  error.promise = promise;
  return error;
}

module.exports = { RuntimeError, toResponse, toLog, unhandledRejection };
