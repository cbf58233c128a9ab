import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { CredentialLookup } from '../authorization.ts';
import type { AwsService, RequestContext } from '../service.ts';
import type { Identities } from './identities.ts';
import * as operations from './operations.ts';
import { RoleCredentialsCache } from './role-credentials.ts';
import { Sessions } from './sessions.ts';
import { TokenVerifier } from './web-identity.ts';

export type { Identities, OidcProvider, RoleIdentity, TrustQuestion } from './identities.ts';

export interface StsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** IAM's view of roles and providers. */
  readonly identities: Identities;
  /** Long-term keys (IAM's). */
  readonly longTermKeys: CredentialLookup;
  /** Policies are enforced: roles must exist and trust their users. */
  readonly enforce: boolean;
}

export interface Sts {
  readonly service: AwsService;
  /** Long-term and temporary keys alike. */
  readonly credentials: CredentialLookup;
  /** Implements the function engine's `RoleCredentials`. */
  readonly roleCredentials: RoleCredentialsCache;
}

const REFUSED = {
  AssumeRoleWithSAML: 'SAML federation is not supported; use AssumeRoleWithWebIdentity or AssumeRole.',
  AssumeRoot: 'There is no organization whose member accounts could be managed; use AssumeRole.',
  DecodeAuthorizationMessage: 'Denials are not encoded here: the reason is in the error message itself.',
  GetDelegatedAccessToken: 'Delegated access tokens are not supported; use AssumeRole.',
  GetFederationToken: 'Federated users are not supported; use AssumeRole with a session policy.',
  GetWebIdentityToken: 'Outbound web identity federation is not supported.',
} as const;

/** The Security Token Service: who am I, and temporary credentials. */
export function createSts(options: StsOptions): Sts {
  const sessions = new Sessions(options);
  const parts: operations.StsParts = {
    identities: options.identities,
    sessions,
    verifier: new TokenVerifier(options.clock),
    random: options.random,
    enforce: options.enforce,
  };
  const bind =
    <Input, Result>(
      operation: (parts: operations.StsParts, input: Input, context: RequestContext) => Promise<Result>,
    ) =>
    (input: Input, context: RequestContext) =>
      operation(parts, input, context);
  const service: AwsService = {
    name: 'sts',
    operations: {
      AssumeRole: bind(operations.assumeRole),
      AssumeRoleWithWebIdentity: bind(operations.assumeRoleWithWebIdentity),
      GetAccessKeyInfo: bind(operations.getAccessKeyInfo),
      GetCallerIdentity: bind(operations.getCallerIdentity),
      GetSessionToken: bind(operations.getSessionToken),
    },
    refused: REFUSED,
    authorization: async (operation, input) => {
      if (operation === 'AssumeRole') return operations.assumeRoleAuthorization(parts, input);
      // These need no permission (STS API Reference); the web identity's token is checked by the operation itself.
      if (operation === 'GetAccessKeyInfo') return [{ action: 'sts:GetAccessKeyInfo', resource: '*' }];
      return [];
    },
    close: () => sessions.close(),
  };
  return {
    service,
    credentials: {
      find: (accessKeyId) =>
        accessKeyId.startsWith('ASIA') ? sessions.find(accessKeyId) : options.longTermKeys.find(accessKeyId),
    },
    roleCredentials: new RoleCredentialsCache({ ...options, sessions }),
  };
}
