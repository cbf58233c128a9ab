/**
 * An error with a message for the person who ran the command, in three parts: what happened, where, what to do.
 * Thrown by set-up, configuration and the command line.
 */
export class UserError extends Error {
  readonly hint: string | undefined;
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'UserError';
    this.hint = options.hint;
  }
}

export interface ServiceErrorOptions {
  /** HTTP status; 400 unless told. */
  readonly status?: number;
  /** Further members of the error's shape as the API model defines it (e.g. `Type`, `BucketName`). */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Response headers that go with the error (e.g. `retry-after`). */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log only, never sent to the client. */
  readonly detail?: string;
  readonly cause?: unknown;
}

/**
 * An error that an API documents. `code` is the name that the real service gives it (`NoSuchKey`,
 * `ResourceNotFoundException`); `message` is public. Each front end has one encoder for it.
 */
export class ServiceError extends Error {
  readonly code: string;
  readonly status: number;
  readonly members: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly detail: string | undefined;
  constructor(code: string, message: string, options: ServiceErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'ServiceError';
    this.code = code;
    this.status = options.status ?? 400;
    this.members = options.members ?? {};
    this.headers = options.headers ?? {};
    this.detail = options.detail;
  }
}
