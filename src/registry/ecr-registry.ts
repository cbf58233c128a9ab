import type { Principal } from '../services/index.ts';

/** What IAM must know of a repository. */
export interface RepositorySubject {
  readonly arn: string;
  readonly account: string;
  readonly region: string;
  /** Its own policy (JSON), if it has one. */
  readonly policy: string | undefined;
  /** Further condition keys: its tags. */
  readonly conditions: Readonly<Record<string, readonly string[]>>;
}

/** What ECR knows of the repositories whose names begin with the host of one of its registries. */
export interface EcrRegistry {
  /** To whom a password of GetAuthorizationToken was given; `undefined` when it is none, or has expired. */
  identify(password: string): Promise<Principal | undefined>;
  /** Also of a repository that is not there. */
  subject(repository: string): Promise<RepositorySubject>;
  /** Whether a push would make the repository. */
  madeByPush(repository: string): Promise<boolean>;
  /** Whether the address is one that GetDownloadUrlForLayer gave out, and still good. */
  permitsDownload(repository: string, digest: string, query: URLSearchParams): Promise<boolean>;
  /** Whether blobs of the other repository may be mounted to it. */
  mayMount(repository: string, from: string): Promise<boolean>;
  /** Brings from its upstream what a pull-through cache rule covers and is not here, or not of today. */
  pullThrough(repository: string, reference: string, principal: Principal | undefined): Promise<void>;
}
