import { parseArn } from '../../base/arn.ts';
import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Principal } from '../service.ts';
import type { Identities, RoleIdentity } from './identities.ts';
import type { Session, Sessions } from './sessions.ts';

/** How long a function's credentials last, and how near their end they are replaced. */
const LIFETIME_SECONDS = 12 * 3600;
const RENEW_BEFORE_MS = 3600_000;
const CACHE_LIMIT = 10_000;

/** Mirrors the function engine's `TemporaryCredentials`. */
export interface IssuedCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: number;
}

/** The principal of a role session, as `GetCallerIdentity` shows it. */
export function assumedRolePrincipal(
  role: { readonly arn: string; readonly id: string },
  sessionName: string,
): Omit<Principal, 'accessKeyId'> {
  const arn = parseArn(role.arn)!;
  const name = arn.resource.slice(arn.resource.lastIndexOf('/') + 1);
  return {
    type: 'AssumedRole',
    account: arn.account,
    arn: `arn:${arn.partition}:sts::${arn.account}:assumed-role/${name}/${sessionName}`,
    userId: `${role.id}:${sessionName}`,
    roleArn: role.arn,
  };
}

/** Credentials of functions' execution roles, reused until an hour before they expire. */
export class RoleCredentialsCache {
  readonly #cache = new Map<string, Session>();
  readonly #identities: Identities;
  readonly #sessions: Sessions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #enforce: boolean;

  constructor(parts: { identities: Identities; sessions: Sessions; clock: Clock; random: Random; enforce: boolean }) {
    this.#identities = parts.identities;
    this.#sessions = parts.sessions;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#enforce = parts.enforce;
  }

  /**
   * Credentials for a function with this execution role; the session is named after the function.
   * When policies are enforced the role must exist and trust `lambda.amazonaws.com` (Lambda Developer Guide,
   * "Defining Lambda function permissions with an execution role"), else AccessDenied.
   */
  async credentialsFor(roleArn: string, sessionName: string, region: string): Promise<IssuedCredentials> {
    const cacheKey = `${roleArn}\n${sessionName}`;
    const cached = this.#cache.get(cacheKey);
    const role = await this.#identities.findRole(roleArn);
    // A role made again under the same name has another id, and old sessions are none of its own.
    const isOfRole = role === undefined || cached?.principal.userId.startsWith(`${role.id}:`);
    if (cached && isOfRole && cached.expiration - this.#clock.now() > RENEW_BEFORE_MS) return publicPart(cached);
    if (this.#enforce) this.#check(roleArn, role, { functionName: sessionName, region });
    const id = role?.id ?? placeholderRoleId(this.#random);
    const name = sessionName.replace(/[^\w+=,.@-]/g, '-').slice(0, 64);
    const session = this.#sessions.issueNow(assumedRolePrincipal({ arn: roleArn, id }, name), LIFETIME_SECONDS);
    if (this.#cache.size >= CACHE_LIMIT) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(cacheKey, session);
    return publicPart(session);
  }

  #check(
    roleArn: string,
    role: RoleIdentity | undefined,
    { functionName, region }: { readonly functionName: string; readonly region: string },
  ): void {
    const trusted =
      role !== undefined &&
      this.#identities.trusts(role.trustPolicy, {
        action: 'sts:AssumeRole',
        principal: { service: 'lambda.amazonaws.com' },
        conditions: {
          'aws:SourceAccount': [role.account],
          'aws:SourceArn': [`arn:aws:lambda:${region}:${role.account}:function:${functionName}`],
        },
      });
    if (!trusted) {
      throw new ServiceError('AccessDenied', `The role ${roleArn} cannot be assumed by Lambda.`, { status: 403 });
    }
  }
}

/** An id for a role that IAM does not know: without enforcement, any well-formed role ARN may be used. */
export function placeholderRoleId(random: Random): string {
  return `AROA${random.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 17)}`;
}

function publicPart(session: Session): IssuedCredentials {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = session;
  return { accessKeyId, secretAccessKey, sessionToken, expiration };
}
