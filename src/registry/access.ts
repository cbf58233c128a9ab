import { timingSafeEqual } from 'node:crypto';
import { ServiceError } from '../base/errors.ts';
import { parseEcrHost, parseEcrRepository } from '../images/index.ts';
import type { Authorizer, CredentialLookup, Principal, RequestContext } from '../services/index.ts';
import type { EcrRegistry, RepositorySubject } from './ecr-registry.ts';
import { CREATE_ACTION, MOUNT_ACTION, type Permission, SCOPE_ACTIONS } from './permissions.ts';
import type { RegistryRequest } from './registry-request.ts';
import type { BearerTokens, Grant } from './tokens.ts';

/** To which plain repositories belong. */
const ACCOUNT = '000000000000';

/** Who sends a request, and what its token limits it to. */
export interface Caller {
  readonly principal: Principal;
  /** `undefined`: whatever policies allow. */
  readonly grants: readonly Grant[] | undefined;
}

export interface AccessOptions {
  readonly credentials: CredentialLookup;
  readonly authorizer: Authorizer;
  readonly ecr: () => Promise<EcrRegistry>;
  readonly tokens: BearerTokens;
}

/**
 * Decides in enforce mode. Who has a token of ECR's GetAuthorizationToken (user `AWS`) or a long-term access key (user: its id,
 * password: its secret) is known; IAM's policies decide what he may do. A plain repository is
 * `arn:aws:ecr::000000000000:repository/<name>` in them: without a region, as it is in none.
 */
export class RegistryAccess {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Who sends the request. Throws `UNAUTHORIZED` with a challenge. */
  async identify(request: RegistryRequest, permission?: Permission): Promise<Caller> {
    const { scheme, rest } = authorizationOf(request);
    if (scheme === 'basic') {
      const principal = await this.#principalOf(rest);
      if (principal) return { principal, grants: undefined };
    }
    if (scheme === 'bearer') {
      const token = await this.#options.tokens.read(request.host, rest);
      if (token) return token;
    }
    throw unauthorized(request, permission, scheme === '' ? undefined : 'invalid_token');
  }

  /** Who asks for a token: by a password, as a token must not lead to one that is good for more, or for longer. */
  async identifyByPassword(request: RegistryRequest): Promise<Principal> {
    const { scheme, rest } = authorizationOf(request);
    const principal = scheme === 'basic' ? await this.#principalOf(rest) : undefined;
    if (!principal) throw unauthorized(request, undefined, scheme === '' ? undefined : 'invalid_token');
    return principal;
  }

  /** Throws `UNAUTHORIZED` when the token is for something else, `DENIED` when policies are against it. */
  async authorize(request: RegistryRequest, caller: Caller, permission: Permission): Promise<void> {
    if (!isGranted(caller, request.name, permission.scope)) {
      throw unauthorized(request, permission, 'insufficient_scope');
    }
    const repository = request.repository();
    await this.#ask(request, caller.principal, repository, permission.action);
    if (permission.scope === 'push' && (await this.#isMadeByPush(repository))) {
      await this.#ask(request, caller.principal, repository, CREATE_ACTION);
    }
  }

  /** For requests that are about the registry as a whole. */
  async authorizeRegistry(request: RegistryRequest, caller: Caller, action: string): Promise<void> {
    const granted = caller.grants?.some(({ type, actions }) => type === 'registry' && actions.includes('*'));
    if (granted === false) throw unauthorized(request, undefined, 'insufficient_scope');
    const registry = parseEcrHost(request.host.replace(/:\d+$/, ''));
    const account = registry?.account ?? ACCOUNT;
    const resource = { resource: '*', resourceAccount: account };
    await this.#authorize(request, caller.principal, action, registry?.region ?? '', resource);
  }

  /** Whether a blob of a repository may be mounted elsewhere; `repository` is its complete name. */
  async mayMount(request: RegistryRequest, caller: Caller, repository: string): Promise<boolean> {
    const granted = caller.grants?.some(
      ({ name }) => isGranted(caller, name, 'pull') && request.repository(name) === repository,
    );
    if (granted === false) return false;
    return this.#allows(request, caller.principal, repository, [MOUNT_ACTION]);
  }

  /** Those of the actions asked for that the caller may have. */
  async grant(request: RegistryRequest, principal: Principal, asked: Grant): Promise<Grant> {
    if (asked.type === 'registry') return asked;
    const actions: string[] = [];
    const wanted = asked.actions.includes('*') ? SCOPE_ACTIONS.keys() : new Set(asked.actions);
    for (const action of wanted) {
      const needed = SCOPE_ACTIONS.get(action);
      if (!needed) continue;
      if (await this.#allows(request, principal, request.repository(asked.name), needed)) actions.push(action);
    }
    return { ...asked, actions };
  }

  async #allows(
    request: RegistryRequest,
    principal: Principal,
    repository: string,
    actions: readonly string[],
  ): Promise<boolean> {
    try {
      for (const action of actions) await this.#ask(request, principal, repository, action);
      return true;
    } catch (error) {
      if (error instanceof ServiceError && error.status === 403) return false;
      throw error;
    }
  }

  async #ask(request: RegistryRequest, principal: Principal, repository: string, action: string): Promise<void> {
    const subject = await this.#subject(repository);
    await this.#authorize(request, principal, action, subject.region, {
      resource: subject.arn,
      resourceAccount: subject.account,
      resourcePolicy: subject.policy,
      conditions: subject.conditions,
    });
  }

  async #isMadeByPush(repository: string): Promise<boolean> {
    return parseEcrRepository(repository) !== undefined && (await this.#options.ecr()).madeByPush(repository);
  }

  async #subject(repository: string): Promise<RepositorySubject> {
    if (parseEcrRepository(repository)) return (await this.#options.ecr()).subject(repository);
    const arn = `arn:aws:ecr::${ACCOUNT}:repository/${repository}`;
    return { arn, account: ACCOUNT, region: '', policy: undefined, conditions: {} };
  }

  async #authorize(
    request: RegistryRequest,
    principal: Principal,
    action: string,
    region: string,
    about: Omit<Parameters<Authorizer['authorize']>[1][number], 'action'>,
  ): Promise<void> {
    const context: RequestContext = {
      service: 'ecr',
      operation: action.slice(action.indexOf(':') + 1),
      account: principal.account,
      region,
      requestId: '',
      principal,
      sourceIp: request.sourceIp,
      userAgent: request.header('user-agent') ?? '',
      secure: request.secure,
      headers: request.message.headers,
      host: request.host,
      signal: request.signal,
      responseHeaders: {},
    };
    try {
      await this.#options.authorizer.authorize(principal, [{ action, ...about }], context);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.status !== 403) throw error;
      throw new ServiceError('DENIED', error.message, { status: 403, cause: error });
    }
  }

  async #principalOf(basic: string): Promise<Principal | undefined> {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 0) return undefined;
    const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
    if (user === 'AWS') return (await this.#options.ecr()).identify(password);
    const credential = await this.#options.credentials.find(user);
    // Temporary keys need their session's token, too: for those there is GetAuthorizationToken.
    if (!credential || credential.sessionToken !== undefined) return undefined;
    return isSame(credential.secretAccessKey, password) ? credential.principal : undefined;
  }
}

/**
 * ECR's registries ask for Basic, as theirs do; others for a token of the service at `/v2/token`. Sources: Amazon ECR User Guide,
 * "Using HTTP API authentication"; distribution/distribution, "Token Authentication Specification".
 */
function unauthorized(
  request: RegistryRequest,
  permission: Permission | undefined,
  problem: string | undefined,
): ServiceError {
  const { host, origin, name } = request;
  let challenge: string;
  if (parseEcrHost(host.replace(/:\d+$/, ''))) challenge = `Basic realm="${origin}/",service="ecr.amazonaws.com"`;
  else {
    const actions = permission?.scope === 'push' ? 'pull,push' : permission?.scope;
    const scope = request.route.kind === 'catalog' ? 'registry:catalog:*' : actions && `repository:${name}:${actions}`;
    challenge = `Bearer realm="${origin}/v2/token",service="${host}"`;
    if (scope !== undefined && !/["\\]/.test(scope)) challenge += `,scope="${scope}"`;
    if (problem !== undefined) challenge += `,error="${problem}"`;
  }
  return new ServiceError('UNAUTHORIZED', 'authentication required', {
    status: 401,
    headers: { 'www-authenticate': challenge },
  });
}

function authorizationOf(request: RegistryRequest): { readonly scheme: string; readonly rest: string } {
  const [scheme = '', rest = ''] = (request.header('authorization') ?? '').split(/\s+(.*)/s);
  return { scheme: scheme.toLowerCase(), rest: rest.trim() };
}

/** Whether the caller's token is for this, of a repository as the client names it. */
function isGranted({ grants }: Caller, name: string, scope: Permission['scope']): boolean {
  if (!grants) return true;
  return grants.some((grant) => grant.type === 'repository' && grant.name === name && grant.actions.includes(scope));
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
