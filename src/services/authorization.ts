import type { AuthorizationRequest, Principal, RequestContext } from './service.ts';

/** What an access key id stands for. Kept in memory by the wire for a short while, so it may be asked for often. */
export interface Credential {
  readonly secretAccessKey: string;
  /** For temporary credentials: the token that must come with each request. */
  readonly sessionToken?: string | undefined;
  readonly principal: Principal;
  /** Epoch ms after which it is refused with `ExpiredToken`. */
  readonly expiration?: number | undefined;
}

/** Finds the owner of an access key. The identity services implement it; the wire calls it. */
export interface CredentialLookup {
  /** `undefined` when the key does not exist or is inactive. */
  find(accessKeyId: string): Promise<Credential | undefined>;
}

/** Decides whether a principal may do something. The identity services implement it; the wire calls it. */
export interface Authorizer {
  /**
   * Resolves when every request is allowed. Otherwise throws a ServiceError with code `AccessDenied`, status 403 and
   * the message that AWS gives ("User: … is not authorized to perform: … on resource: …"); the wire gives it the name
   * that the service uses (`AccessDeniedException`, …).
   */
  authorize(principal: Principal, requests: readonly AuthorizationRequest[], context: RequestContext): Promise<void>;
}
