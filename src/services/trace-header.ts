import type { IncomingHttpHeaders } from 'node:http';

/** Longest header that is taken over; it is kept with every event and handed to every function. */
const MAXIMUM_LENGTH = 1024;

/**
 * The `X-Amzn-Trace-Id` header of a request; `undefined` without one, or when it is too long to be one. An SDK that runs
 * in a function sends the header of the invocation, by which a chain of requests is known.
 */
export function traceHeaderOf(headers: IncomingHttpHeaders): string | undefined {
  const given = headers['x-amzn-trace-id'];
  return typeof given === 'string' && given !== '' && given.length <= MAXIMUM_LENGTH ? given : undefined;
}
