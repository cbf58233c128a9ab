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

/** May a service act on a resource, in whoever's name it does? */
export interface ServiceQuestion {
  /** `sqs:SendMessage` */
  readonly action: string;
  /** ARN. */
  readonly resource: string;
  readonly resourceAccount: string;
  readonly region: string;
  /** The resource's own policy document (JSON), if it has one. */
  readonly resourcePolicy: string | undefined;
  /** The resource's policy must allow it, also inside the account: keys of KMS. */
  readonly resourcePolicyDecides?: boolean;
  /** Further condition keys with their values. */
  readonly conditions?: Readonly<Record<string, readonly string[]>>;
  readonly caller: ServiceCaller;
}

/** A service that acts on behalf of one of its resources; with a role, as that role. */
export interface ServiceCaller {
  /** `events.amazonaws.com` */
  readonly service: string;
  readonly sourceArn?: string | undefined;
  readonly sourceAccount?: string | undefined;
  readonly roleArn?: string | undefined;
}

/** Decides what services may do to each other's resources. The identity services implement it. */
export interface ServiceAccess {
  /**
   * With a role: it must trust the service, and its policies (across accounts the resource's too) decide. Without: the
   * resource's policy must name the service. Always true while policies are not enforced.
   */
  allows(question: ServiceQuestion): Promise<boolean>;
}
