import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { BlobStore, Store } from '../../store/index.ts';
import { SigningSecret } from '../signing-secret.ts';
import { keys } from './model.ts';
import type { CodeDownloads } from './room.ts';

/** "The presigned URL is valid for 10 minutes." Source: Lambda API Reference, "GetFunction". */
const VALID_MS = 10 * 60_000;
/** Where packages are downloaded. No S3 bucket can have this name. */
export const DOWNLOAD_PATH = '/_lambda/code/';

/** Signed addresses of deployment packages: whoever has one may fetch that package until it expires. */
export class SignedDownloads implements CodeDownloads {
  readonly #blobs: BlobStore;
  readonly #clock: Clock;
  readonly #secret: SigningSecret;

  constructor(options: { store: Store; blobs: BlobStore; clock: Clock; random: Random }) {
    this.#blobs = options.blobs;
    this.#clock = options.clock;
    this.#secret = new SigningSecret(options, keys.downloadSecret);
  }

  async location(digest: string, at: { readonly host: string; readonly secure: boolean }): Promise<string> {
    const hex = digest.slice('sha256:'.length);
    const expires = this.#clock.now() + VALID_MS;
    const signature = await this.#sign(hex, expires);
    return `${at.secure ? 'https' : 'http'}://${at.host}${DOWNLOAD_PATH}${hex}?expires=${expires}&signature=${signature}`;
  }

  /** The package that a path and query ask for; `undefined` when the address is not a valid one. */
  async open(url: string): Promise<Readable | undefined> {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const hex = pathname.slice(DOWNLOAD_PATH.length);
    const expires = Number(searchParams.get('expires'));
    const given = Buffer.from(searchParams.get('signature') ?? '', 'hex');
    if (!/^[0-9a-f]{64}$/.test(hex) || !Number.isSafeInteger(expires)) return undefined;
    const expected = Buffer.from(await this.#sign(hex, expires), 'hex');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    if (this.#clock.now() > expires) return undefined;
    return this.#blobs.open(`sha256:${hex}`);
  }

  async #sign(hex: string, expires: number): Promise<string> {
    return createHmac('sha256', await this.#secret.get())
      .update(`${hex}\n${expires}`)
      .digest('hex');
  }
}
