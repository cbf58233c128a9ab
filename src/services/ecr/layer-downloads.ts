import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { ecrHost } from '../../images/index.ts';
import type { SigningSecret } from '../signing-secret.ts';
import { completeName } from './names.ts';
import type { RepositoryId } from './records.ts';

const LIFETIME_MS = 3_600_000;

/** Addresses of layers that are good for an hour of the clock, and for whoever has one. */
export class LayerDownloads {
  readonly #secret: SigningSecret;
  readonly #clock: Clock;

  constructor(secret: SigningSecret, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /** `at`: how the client reaches this machine. */
  async sign(
    id: RepositoryId,
    digest: string,
    at: { readonly host: string; readonly secure: boolean },
  ): Promise<string> {
    const expires = this.#clock.now() + LIFETIME_MS;
    const signature = await this.#signature(completeName(id), digest, expires);
    // Where AWS's names lead here, so does that of the registry; below another host its name comes first.
    const isAws = /\.amazonaws\.com(?:\.cn)?(?::\d+)?$/.test(at.host);
    const base = isAws ? `${ecrHost(id)}/v2/${id.name}` : `${at.host}/v2/${completeName(id)}`;
    const query = new URLSearchParams({ 'X-Expires': String(expires), 'X-Signature': signature });
    return `${at.secure ? 'https' : 'http'}://${base}/blobs/${digest}?${query}`;
  }

  async permits(repository: string, digest: string, query: URLSearchParams): Promise<boolean> {
    const [expires, given] = [Number(query.get('X-Expires')), query.get('X-Signature') ?? ''];
    if (!(expires > this.#clock.now())) return false;
    const expected = Buffer.from(await this.#signature(repository, digest, expires));
    const actual = Buffer.from(given);
    return actual.length === expected.length && timingSafeEqual(actual, expected);
  }

  async #signature(repository: string, digest: string, expires: number): Promise<string> {
    const hmac = createHmac('sha256', await this.#secret.get());
    return hmac.update(['layer', repository, digest, String(expires)].join('\n')).digest('hex');
  }
}
