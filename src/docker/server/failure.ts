import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';

export interface Failure {
  readonly status: number;
  readonly message: string;
}

/**
 * What is told of an error: a `ServiceError`'s own message with its status; of all others that something went wrong, with a name by
 * which the log has the rest.
 */
export function failureOf(error: unknown, context: { readonly logger: Logger; readonly random: Random }): Failure {
  if (error instanceof ServiceError) {
    if (error.detail !== undefined) context.logger.debug(error.message, { code: error.code, detail: error.detail });
    return { status: error.status, message: error.message };
  }
  const id = context.random.hex(12);
  context.logger.error('request failed', { id, error: error instanceof Error ? error.stack : String(error) });
  return { status: 500, message: `internal error ${id}: Kobune's log tells more` };
}
