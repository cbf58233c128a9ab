import { jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../../base/clock.ts';
import type { Principal } from '../service.ts';
import type { SigningSecret } from '../signing-secret.ts';

/** Source: Amazon ECR API Reference, "GetAuthorizationToken": 12 hours. */
const LIFETIME_SECONDS = 12 * 3600;
const ISSUER = 'kobune-ecr';

/** Passwords of the user `AWS`: who asked for one is in it, signed, and it is good for 12 hours of the clock. */
export class AuthorizationTokens {
  readonly #secret: SigningSecret;
  readonly #clock: Clock;
  /** Where any key is good, so is the password that it gave: not any more once policies decide. */
  readonly #audience: string;

  constructor(secret: SigningSecret, clock: Clock, enforce: boolean) {
    this.#secret = secret;
    this.#clock = clock;
    this.#audience = enforce ? 'verified' : 'anybody';
  }

  async issue(principal: Principal): Promise<{ readonly password: string; readonly expiresAt: Date }> {
    const now = Math.floor(this.#clock.now() / 1000);
    const expires = now + LIFETIME_SECONDS;
    const password = await new SignJWT({ principal })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(this.#audience)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(await this.#secret.get());
    return { password, expiresAt: new Date(expires * 1000) };
  }

  /** Whom it was given to; `undefined` for what was never given out, or has expired. */
  async identify(password: string): Promise<Principal | undefined> {
    const secret = await this.#secret.get();
    try {
      const { payload } = await jwtVerify<{ principal: Principal }>(password, secret, {
        issuer: ISSUER,
        audience: this.#audience,
        algorithms: ['HS256'],
        currentDate: new Date(this.#clock.now()),
      });
      return payload.principal;
    } catch {
      return undefined;
    }
  }
}
