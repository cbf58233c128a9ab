/** What a client may ask of a connection. */
export interface GatewayLimits {
  /** Request line and headers together, in bytes; more is answered with 431. A presigned URL carries a session token. */
  readonly headerBytes: number;
  /** A body announced as larger is answered with 413 before it is read. Bodies of unknown length are counted by their reader. */
  readonly bodyBytes: number;
  /** From the connection, or the end of the last request's idle time, to complete headers. */
  readonly headersMs: number;
  /** How long a connection may stand still while the client owes a body or does not take its answer. */
  readonly stallMs: number;
  /** How long an idle connection is kept: longer than SDKs keep theirs, so that they close first. */
  readonly keepAliveMs: number;
}

const GIB = 1024 ** 3;

export const DEFAULT_LIMITS: GatewayLimits = {
  headerBytes: 32 * 1024,
  // The largest single upload to S3 is 5 GiB; aws-chunked framing adds a little.
  bodyBytes: 5 * GIB + GIB / 8,
  headersMs: 20_000,
  stallMs: 60_000,
  keepAliveMs: 75_000,
};
