/** A repository of another registry, and who asks there. */
export interface UpstreamRepository {
  /** `https://registry-1.docker.io`; `http://` for one without TLS. */
  readonly url: string;
  readonly repository: string;
  readonly credentials?: UpstreamCredentials | undefined;
  /** Whoever made the rule is on this machine: the upstream may be, too. */
  readonly local: boolean;
}

export interface UpstreamCredentials {
  readonly username: string;
  readonly password: string;
}

export interface UpstreamManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads from other registries. Throws `ServiceError` with code `UpstreamAccessDenied`, `UpstreamTooManyRequests` or
 * `UpstreamUnavailable`, whose message says what the other registry said.
 */
export interface Upstreams {
  /** By tag or digest; verified. `undefined` when it is not there. */
  manifest(from: UpstreamRepository, reference: string): Promise<UpstreamManifest | undefined>;
  /** Not yet verified. */
  blob(from: UpstreamRepository, digest: string): Promise<AsyncIterable<Uint8Array>>;
  /** Resolves when the registry answers, and takes the credentials. */
  check(from: Omit<UpstreamRepository, 'repository'>): Promise<void>;
}

/** Reads a secret's text as the account that it belongs to. Implemented over Secrets Manager; throws its errors. */
export interface SecretReader {
  read(secret: { readonly arn: string; readonly account: string; readonly region: string }): Promise<string>;
}
