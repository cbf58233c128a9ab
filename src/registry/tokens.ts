import { jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { type Principal, SigningSecret } from '../services/index.ts';
import type { Store } from '../store/index.ts';

/** What a token is good for. Source: distribution/distribution, "Token Authentication Specification". */
export interface Grant {
  readonly type: 'repository' | 'registry';
  /** As the client names it. */
  readonly name: string;
  readonly actions: readonly string[];
}

export interface BearerToken {
  readonly principal: Principal;
  readonly grants: readonly Grant[];
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresIn: number;
  /** Epoch ms. */
  readonly issuedAt: number;
}

const SECRET_KEY = ['registry', 'token-secret'];
/** Seconds. */
const LIFETIME = 300;

/** Tokens of the registry's own token service: signed, good for some repositories and a short time by the clock. */
export class BearerTokens {
  readonly #secret: SigningSecret;
  readonly #clock: Clock;
  readonly #random: Random;
  /** A token that anybody got is good for nothing once policies decide. */
  readonly #issuer: string;

  constructor(parts: {
    readonly store: Store;
    readonly clock: Clock;
    readonly random: Random;
    readonly mode: 'open' | 'enforce';
  }) {
    this.#issuer = `kobune-${parts.mode}`;
    this.#secret = new SigningSecret(parts, SECRET_KEY);
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** `service`: the registry's host, for which alone the token is good. */
  async issue(service: string, principal: Principal, grants: readonly Grant[]): Promise<IssuedToken> {
    const issuedAt = this.#clock.now();
    const seconds = Math.floor(issuedAt / 1000);
    const token = await new SignJWT({ access: grants, principal })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(this.#issuer)
      .setSubject(principal.arn)
      .setAudience(service)
      .setIssuedAt(seconds)
      .setNotBefore(seconds)
      .setExpirationTime(seconds + LIFETIME)
      .setJti(this.#random.uuid())
      .sign(await this.#secret.get());
    return { token, expiresIn: LIFETIME, issuedAt };
  }

  /** `undefined` for a token that is not ours, is for another registry, or has expired. */
  async read(service: string, token: string): Promise<BearerToken | undefined> {
    const secret = await this.#secret.get();
    try {
      const { payload } = await jwtVerify<{ access: readonly Grant[]; principal: Principal }>(token, secret, {
        issuer: this.#issuer,
        audience: service,
        algorithms: ['HS256'],
        currentDate: new Date(this.#clock.now()),
      });
      return { principal: payload.principal, grants: payload.access };
    } catch {
      return undefined;
    }
  }
}
