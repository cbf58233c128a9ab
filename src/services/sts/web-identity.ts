import type { createRemoteJWKSet, JWTPayload } from 'jose';
import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { OidcProvider } from './identities.ts';
import { readIssuerDocument } from './issuer-documents.ts';

const TIMEOUT_MS = 5000;
/** Asymmetric algorithms only: a token signed with a shared secret proves nothing here. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];

type KeySet = ReturnType<typeof createRemoteJWKSet>;

/** Loaded by the first web identity: every function needs STS, few need this. */
const loadJose = () => import('jose');

/**
 * Verifies OpenID Connect tokens against providers registered in IAM: signature by the issuer's published keys, issuer,
 * audience, times. Source: STS API Reference, "AssumeRoleWithWebIdentity", and OpenID Connect Discovery 1.0.
 */
export class TokenVerifier {
  readonly #clock: Clock;
  /** Key sets by issuer and by who asked; each caches its keys, and reads them anew in the same way. */
  readonly #keySets = new Map<string, KeySet>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The `iss` that a token claims, unverified: tells which provider to ask. */
  async issuerOf(token: string): Promise<string> {
    const { decodeJwt } = await loadJose();
    try {
      const { iss } = decodeJwt(token);
      if (typeof iss === 'string' && iss !== '') return iss;
    } catch {
      // Falls through: not a token.
    }
    throw invalidToken(
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    );
  }

  /**
   * The verified claims. An issuer on this machine is asked only when `local`: the caller is on it, too. Throws
   * InvalidIdentityToken, ExpiredTokenException or IDPCommunicationError.
   */
  async verify(
    token: string,
    issuer: string,
    provider: OidcProvider,
    local: boolean,
  ): Promise<JWTPayload & { sub: string }> {
    const keys = await this.#keySet(issuer, local);
    const payload = await this.#verifySignature(token, issuer, keys).catch((error) => {
      // The issuer may have moved its keys: the next token asks where they are.
      this.#keySets.delete(keySetName(issuer, local));
      throw error;
    });
    const audiences = [payload.azp ?? payload.aud ?? []].flat();
    if (!audiences.some((audience) => provider.clientIds.includes(String(audience)))) {
      throw invalidToken('Incorrect token audience');
    }
    if (typeof payload.sub !== 'string' || payload.sub === '') throw invalidToken('Missing a required claim: sub');
    return payload as JWTPayload & { sub: string };
  }

  async #verifySignature(token: string, issuer: string, keys: KeySet): Promise<JWTPayload> {
    const { errors, jwtVerify } = await loadJose();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        algorithms: ALGORITHMS,
        currentDate: new Date(this.#clock.now()),
        clockTolerance: 300,
        requiredClaims: ['exp', 'iat', 'sub', 'aud'],
      });
      return payload;
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      if (error instanceof errors.JWTExpired) {
        throw new ServiceError('ExpiredTokenException', 'Token expired: the web identity token has expired.');
      }
      if (error instanceof errors.JWTClaimValidationFailed) {
        throw invalidToken(`Invalid or missing claim: ${error.claim}`);
      }
      if (error instanceof errors.JWKSTimeout) throw unreachable(issuer, error);
      throw invalidToken(
        "Couldn't retrieve verification key from your identity provider, or the signature is not valid",
        error,
      );
    }
  }

  async #keySet(issuer: string, local: boolean): Promise<KeySet> {
    const known = this.#keySets.get(keySetName(issuer, local));
    if (known) return known;
    const discovery = await read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, issuer, local);
    const document = (await discovery.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (document.issuer !== issuer)
      throw invalidToken("The issuer in the discovery document is not the token's issuer");
    if (typeof document.jwks_uri !== 'string') throw unreachable(issuer);
    const { createRemoteJWKSet, customFetch } = await loadJose();
    const keySet = createRemoteJWKSet(new URL(document.jwks_uri), {
      timeoutDuration: TIMEOUT_MS,
      [customFetch]: (url: string) => read(url, issuer, local),
    });
    this.#keySets.set(keySetName(issuer, local), keySet);
    return keySet;
  }
}

const keySetName = (issuer: string, local: boolean): string => `${local ? 'local' : 'remote'} ${issuer}`;

async function read(url: string, issuer: string, local: boolean): Promise<Response> {
  try {
    const text = await readIssuerDocument(url, local);
    return new Response(text, { status: 200, headers: { 'content-type': 'application/json' } });
  } catch (error) {
    throw unreachable(issuer, error);
  }
}

function invalidToken(message: string, cause?: unknown): ServiceError {
  return new ServiceError('InvalidIdentityToken', message, { cause, detail: cause ? String(cause) : undefined });
}

function unreachable(issuer: string, cause?: unknown): ServiceError {
  return new ServiceError('IDPCommunicationError', `Could not communicate with the identity provider ${issuer}`, {
    cause,
    detail: cause ? String(cause) : undefined,
  });
}
