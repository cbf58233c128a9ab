import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { RegistryAuth } from '../images.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { type Address, type HttpConnections, type HttpRequest, isLoopback, readBody } from './http-connection.ts';
import { answerError } from './registry-errors.ts';

export interface AuthorizerOptions {
  readonly connections: HttpConnections;
  readonly clock: Clock;
  readonly auth: RegistryAuth | undefined;
  /** How a token server is reached. */
  readonly locate: (url: URL) => Address;
}

interface Token {
  readonly header: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

const MAX_TOKEN_SIZE = 1024 * 1024;
/** Source: Docker Registry token authentication specification: tokens live 60 seconds unless told, and at least as long. */
const MIN_LIFETIME_S = 60;
/** A token is renewed so long before it expires. */
const RENEW_MS = 10_000;

/**
 * Gets what a registry wants to see of a client: basic credentials, or a token of the server that it names. One per registry and
 * credentials. Sources: CNCF Distribution, "Token Authentication Specification" and "OAuth2 Token Authentication".
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  #challenge: Challenge | undefined;
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** What the registry has answered to a request without authorization; `undefined`: it wants none. */
  challenged(header: string | undefined): void {
    const all = parseChallenges(header ?? '');
    this.#challenge = all.find(({ scheme }) => scheme === 'bearer') ?? all.find(({ scheme }) => scheme === 'basic');
    if (header !== undefined && !this.#challenge) {
      throw new ServiceError('Unauthorized', `the registry wants an authorization that is not supported: ${header}`, {
        status: 401,
      });
    }
  }

  /** The Authorization header for these scopes, such as `repository:library/busybox:pull`; `undefined`: none is wanted. */
  async header(scopes: readonly string[]): Promise<string | undefined> {
    const challenge = this.#challenge;
    const { auth, clock } = this.#options;
    if (!challenge) return undefined;
    if (challenge.scheme === 'basic') return basicHeader(auth);
    if (auth?.registryToken !== undefined) return `Bearer ${auth.registryToken}`;
    const key = [...scopes].sort().join(' ');
    let token = this.#tokens.get(key);
    if (token && (await token).expiresAt - RENEW_MS <= clock.now()) token = undefined;
    if (!token) {
      token = this.#fetch(challenge, scopes);
      this.#tokens.set(key, token);
      token.catch(() => this.#tokens.delete(key));
    }
    return (await token).header;
  }

  /** Forgets tokens that the registry does not take any more. */
  forget(): void {
    this.#tokens.clear();
  }

  async #fetch({ parameters }: Challenge, scopes: readonly string[]): Promise<Token> {
    const { auth, clock, connections, locate } = this.#options;
    const realm = URL.parse(parameters.realm ?? '');
    if (!realm || (realm.protocol !== 'https:' && realm.protocol !== 'http:')) {
      throw new ServiceError('Unauthorized', `the registry names no token server: "${parameters.realm ?? ''}"`, {
        status: 401,
      });
    }
    const address = locate(realm);
    const hasSecret = auth?.username !== undefined || auth?.identityToken !== undefined;
    if (hasSecret && new URL(address.origin).protocol === 'http:' && !isLoopback(new URL(address.origin).hostname)) {
      const message = `the registry wants credentials to be sent unencrypted to ${realm.host}, which is refused`;
      throw new ServiceError('Unauthorized', message, { status: 401 });
    }
    const response = await connections.send(
      address,
      auth?.identityToken === undefined
        ? this.#tokenRequest(realm, parameters.service, scopes)
        : refreshRequest(realm, parameters.service, scopes, auth.identityToken),
    );
    if (response.statusCode !== 200) {
      const error = await answerError(response, `the token server ${realm.host}`);
      if (error.status !== 401 && error.status !== 403) throw error;
      const message = error.code === '' ? 'incorrect username or password' : error.message;
      throw new ServiceError('Unauthorized', `unauthorized: ${message}`, { status: 401, cause: error });
    }
    return readToken(await readBody(response, MAX_TOKEN_SIZE), clock.now());
  }

  #tokenRequest(realm: URL, service: string | undefined, scopes: readonly string[]): HttpRequest {
    const { auth } = this.#options;
    const query = new URLSearchParams(realm.search);
    if (service !== undefined) query.set('service', service);
    for (const scope of scopes) query.append('scope', scope);
    if (auth?.username !== undefined) query.set('account', auth.username);
    return {
      method: 'GET',
      path: `${realm.pathname}?${query}`,
      headers: auth?.username === undefined ? {} : { authorization: basicHeader(auth) },
    };
  }
}

function refreshRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  identityToken: string,
): HttpRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: identityToken,
    client_id: 'kobune',
    scope: scopes.join(' '),
    ...(service !== undefined && { service }),
  });
  return {
    method: 'POST',
    path: `${realm.pathname}${realm.search}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  };
}

function basicHeader(auth: RegistryAuth | undefined): string {
  if (auth?.username === undefined) {
    throw new ServiceError('Unauthorized', 'no basic auth credentials', { status: 401 });
  }
  return `Basic ${Buffer.from(`${auth.username}:${auth.password ?? ''}`).toString('base64')}`;
}

function readToken(body: Buffer, now: number): Token {
  let answer: Record<string, unknown> = {};
  try {
    answer = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch {
    // Told below.
  }
  const token = answer.token ?? answer.access_token;
  if (typeof token !== 'string' || token === '' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new ServiceError('RegistryError', 'authorization server did not include a token in the response', {
      status: 502,
    });
  }
  const told = typeof answer.expires_in === 'number' ? answer.expires_in : 0;
  return { header: `Bearer ${token}`, expiresAt: now + Math.max(told, MIN_LIFETIME_S) * 1000 };
}
