import type {
  AssumeRoleCommandInput,
  AssumeRoleCommandOutput,
  AssumeRoleWithWebIdentityCommandInput,
  AssumeRoleWithWebIdentityCommandOutput,
  GetAccessKeyInfoCommandInput,
  GetAccessKeyInfoCommandOutput,
  GetCallerIdentityCommandInput,
  GetCallerIdentityCommandOutput,
  GetSessionTokenCommandInput,
  GetSessionTokenCommandOutput,
} from '@aws-sdk/client-sts';
import { ServiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { isLoopback } from '../../events/index.ts';
import { accountOfAccessKeyId } from '../access-key-id.ts';
import type { RequestContext } from '../service.ts';
import type { Identities, RoleIdentity } from './identities.ts';
import { accountOfRole, checkDuration, checkSessionName, checkTags, validationError } from './input.ts';
import { assumedRolePrincipal, placeholderRoleId } from './role-credentials.ts';
import type { Session, Sessions } from './sessions.ts';
import type { TokenVerifier } from './web-identity.ts';

export interface StsParts {
  readonly identities: Identities;
  readonly sessions: Sessions;
  readonly verifier: TokenVerifier;
  readonly random: Random;
  readonly enforce: boolean;
}

type Output<T> = Omit<T, '$metadata'>;

/** STS API Reference, "GetCallerIdentity": needs no permission. */
export async function getCallerIdentity(
  _parts: StsParts,
  _input: GetCallerIdentityCommandInput,
  { principal }: RequestContext,
): Promise<Output<GetCallerIdentityCommandOutput>> {
  if (principal.type === 'Anonymous') {
    throw new ServiceError('MissingAuthenticationToken', 'Request is missing Authentication Token', { status: 403 });
  }
  return { Account: principal.account, Arn: principal.arn, UserId: principal.userId };
}

/** STS API Reference, "AssumeRole". Whether the caller may is decided before, by the role's trust policy. */
export async function assumeRole(
  parts: StsParts,
  input: AssumeRoleCommandInput,
  { principal }: RequestContext,
): Promise<Output<AssumeRoleCommandOutput>> {
  refuseMembers(input, ['SerialNumber', 'TokenCode'], 'multi-factor authentication is not supported');
  refuseMembers(input, ['ProvidedContexts'], 'trusted context assertions are not supported');
  refuseMembers(input, ['SourceIdentity'], 'source identities are not supported');
  refuseMembers(input, ['TransitiveTagKeys'], 'transitive session tags are not supported');
  const roleArn = input.RoleArn!;
  const account = accountOfRole(roleArn);
  const name = checkSessionName(input.RoleSessionName!);
  const role = await roleOrPlaceholder(parts, roleArn);
  // Role chaining: the IAM User Guide, "Methods to assume a role", limits such a session to one hour.
  const maximum = principal.type === 'AssumedRole' ? 3600 : role.maxSessionDuration;
  const duration = checkRoleDuration(input.DurationSeconds, maximum);
  const { sessionPolicy, packed } = await sessionPolicyOf(parts, account, input.Policy, input.PolicyArns);
  const tags = checkTags(input.Tags);
  const session = await parts.sessions.issue(
    {
      ...assumedRolePrincipal(role, name),
      ...(sessionPolicy ? { sessionPolicy } : {}),
      ...(input.Tags?.length ? { tags } : {}),
    },
    duration,
  );
  return {
    Credentials: credentials(session),
    AssumedRoleUser: { AssumedRoleId: session.principal.userId, Arn: session.principal.arn },
    ...(packed === undefined ? {} : { PackedPolicySize: packed }),
  };
}

/** STS API Reference, "AssumeRoleWithWebIdentity": unsigned; the token is the proof. */
export async function assumeRoleWithWebIdentity(
  parts: StsParts,
  input: AssumeRoleWithWebIdentityCommandInput,
  { sourceIp }: RequestContext,
): Promise<Output<AssumeRoleWithWebIdentityCommandOutput>> {
  refuseMembers(input, ['ProviderId'], 'OAuth 2.0 access tokens are not supported, only OpenID Connect ID tokens');
  const roleArn = input.RoleArn!;
  const account = accountOfRole(roleArn);
  const name = checkSessionName(input.RoleSessionName!);
  if (input.WebIdentityToken!.length > 20_000) {
    throw validationError("Member 'webIdentityToken' must have length less than or equal to 20000");
  }
  const issuer = await parts.verifier.issuerOf(input.WebIdentityToken!);
  const provider = await parts.identities.findOidcProvider(account, issuer);
  if (!provider) {
    throw new ServiceError('InvalidIdentityToken', `No OpenIDConnect provider found in your account for ${issuer}`);
  }
  const claims = await parts.verifier.verify(input.WebIdentityToken!, issuer, provider, isLoopback(sourceIp));
  const audience = [claims.azp ?? claims.aud].flat().map(String);
  const role = await parts.identities.findRole(roleArn);
  const prefix = provider.url.replace(/^https?:\/\//, '');
  const trusted =
    role !== undefined &&
    parts.identities.trusts(role.trustPolicy, {
      action: 'sts:AssumeRoleWithWebIdentity',
      principal: { federated: provider.arn },
      conditions: {
        [`${prefix}:sub`]: [claims.sub],
        [`${prefix}:aud`]: audience,
        ...(claims.amr ? { [`${prefix}:amr`]: [claims.amr].flat().map(String) } : {}),
        'sts:RoleSessionName': [name],
      },
    });
  if (!trusted) {
    throw new ServiceError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', { status: 403 });
  }
  const duration = checkRoleDuration(input.DurationSeconds, role.maxSessionDuration);
  const { sessionPolicy, packed } = await sessionPolicyOf(parts, account, input.Policy, input.PolicyArns);
  const session = await parts.sessions.issue(
    { ...assumedRolePrincipal(role, name), ...(sessionPolicy ? { sessionPolicy } : {}) },
    duration,
  );
  return {
    Credentials: credentials(session),
    AssumedRoleUser: { AssumedRoleId: session.principal.userId, Arn: session.principal.arn },
    SubjectFromWebIdentityToken: claims.sub,
    Audience: audience[0],
    Provider: provider.arn,
    ...(packed === undefined ? {} : { PackedPolicySize: packed }),
  };
}

/** STS API Reference, "GetSessionToken": the caller's own permissions, with an end. */
export async function getSessionToken(
  parts: StsParts,
  input: GetSessionTokenCommandInput,
  { principal }: RequestContext,
): Promise<Output<GetSessionTokenCommandOutput>> {
  refuseMembers(input, ['SerialNumber', 'TokenCode'], 'multi-factor authentication is not supported');
  if (principal.type === 'AssumedRole') {
    throw new ServiceError('AccessDenied', 'Cannot call GetSessionToken with session credentials', { status: 403 });
  }
  // The root user's sessions end after an hour, whatever is asked for.
  const duration = checkDuration(input.DurationSeconds, 43_200, 129_600);
  const { accessKeyId: _, ...self } = principal;
  const session = await parts.sessions.issue(self, principal.type === 'Root' ? Math.min(duration, 3600) : duration);
  return { Credentials: credentials(session) };
}

/** STS API Reference, "GetAccessKeyInfo": the account is part of the key id. */
export async function getAccessKeyInfo(
  _parts: StsParts,
  input: GetAccessKeyInfoCommandInput,
): Promise<Output<GetAccessKeyInfoCommandOutput>> {
  const account = accountOfAccessKeyId(input.AccessKeyId!);
  if (!account) throw validationError(`Invalid access key id: ${input.AccessKeyId}`);
  return { Account: account };
}

/** What IAM must allow. The trust policy is the role's resource policy; it must allow, whatever the caller's own say. */
export async function assumeRoleAuthorization(parts: StsParts, input: AssumeRoleCommandInput) {
  const role = await parts.identities.findRole(input.RoleArn!);
  const request = {
    resource: input.RoleArn!,
    // A role that is not there trusts nobody: the answer is the same AccessDenied, so names cannot be probed.
    resourcePolicy: role?.trustPolicy ?? '{"Version":"2012-10-17","Statement":[]}',
    resourceAccount: accountOfRole(input.RoleArn!),
    conditions: {
      'sts:RoleSessionName': [input.RoleSessionName!],
      ...(input.ExternalId === undefined ? {} : { 'sts:ExternalId': [input.ExternalId] }),
      ...Object.fromEntries((input.Tags ?? []).map((tag) => [`aws:RequestTag/${tag.Key}`, [tag.Value ?? '']])),
      ...(input.Tags?.length ? { 'aws:TagKeys': input.Tags.map((tag) => tag.Key ?? '') } : {}),
    },
  };
  const actions = ['sts:AssumeRole', ...(input.Tags?.length ? ['sts:TagSession'] : [])];
  return actions.map((action) => ({ action, ...request }));
}

async function roleOrPlaceholder(
  parts: StsParts,
  roleArn: string,
): Promise<Pick<RoleIdentity, 'arn' | 'id' | 'maxSessionDuration'>> {
  const role = await parts.identities.findRole(roleArn);
  if (role) return role;
  if (parts.enforce) {
    throw new ServiceError('AccessDenied', `Not authorized to perform: sts:AssumeRole on resource: ${roleArn}`, {
      status: 403,
    });
  }
  return { arn: roleArn, id: placeholderRoleId(parts.random), maxSessionDuration: 43_200 };
}

function checkRoleDuration(value: number | undefined, maximum: number): number {
  const duration = checkDuration(value, Math.min(3600, maximum), 43_200);
  if (duration > maximum) {
    throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
  return duration;
}

/** Joins the inline policy and the managed ones to the one document that limits the session. */
async function sessionPolicyOf(
  parts: StsParts,
  account: string,
  inline: string | undefined,
  arns: readonly { readonly arn?: string | undefined }[] | undefined,
): Promise<{ sessionPolicy: string | undefined; packed: number | undefined }> {
  if ((arns?.length ?? 0) > 10) throw validationError('At most 10 managed session policies are allowed.');
  if ((inline?.length ?? 0) > 2048)
    throw validationError("Member 'policy' must have length less than or equal to 2048");
  const documents: string[] = [];
  if (inline !== undefined) {
    parts.identities.checkPolicy(inline);
    documents.push(inline);
  }
  for (const { arn = '' } of arns ?? []) {
    const document = await parts.identities.managedPolicyDocument(account, arn);
    if (document === undefined) throw validationError(`Managed policy ${arn} does not exist.`);
    documents.push(document);
  }
  if (documents.length === 0) return { sessionPolicy: undefined, packed: undefined };
  const statements = documents.flatMap((document) => [JSON.parse(document).Statement].flat());
  const packed = Math.ceil(((inline?.length ?? 0) / 2048) * 100);
  return { sessionPolicy: JSON.stringify({ Version: '2012-10-17', Statement: statements }), packed };
}

function credentials(session: Session) {
  return {
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    SessionToken: session.sessionToken,
    Expiration: new Date(session.expiration),
  };
}

/** Refuses, by name, members that would otherwise have no effect. */
function refuseMembers<T extends object>(input: T, names: readonly (keyof T & string)[], reason: string): void {
  for (const name of names) {
    const value = input[name];
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) {
      throw new ServiceError('NotImplemented', `${name}: ${reason}.`, { status: 501 });
    }
  }
}
