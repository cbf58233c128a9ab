import type { Clock, Timer } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { BlobLease, Store, Transaction } from '../../store/index.ts';
import { invalidParameter, unsupported } from './errors.ts';
import { type CodeRecord, keys, type Scope } from './model.ts';
import type { FunctionImages } from './ports.ts';

/** An image that lost its last function stays this long: an invocation of the old code may still run. */
const UNUSED_GRACE_MS = 16 * 60_000;

const LOOPBACK = /^(?:(?:::ffff:)?127\.|::1$)/;
/** Leads to this Kobune's own registry, whatever the account. */
const ECR_URI = /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?\//;

export interface ImageCodesOptions {
  readonly images: FunctionImages | undefined;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Images as the code of functions: pulled when a function is made or changed, and held for as long as a version names
 * them. Source: Lambda Developer Guide, "Create a Lambda function using a container image".
 */
export class ImageCodes {
  readonly #options: ImageCodesOptions;
  readonly #pins = new Map<string, number>();
  readonly #timers = new Set<Timer>();

  constructor(options: ImageCodesOptions) {
    this.#options = options;
  }

  /** Lets images go that a killed run had taken and no version came to name. */
  async start(): Promise<void> {
    const { store } = this.#options;
    for (const { key } of await store.range({ prefix: keys.heldImages })) await this.#collect(String(key.at(-1)));
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  /** Pulls the image and holds it until `release`, by when a version must refer to it. InvalidParameterValueException. */
  async take(uri: string, caller: Scope & { readonly sourceIp: string }): Promise<CodeRecord & BlobLease> {
    const { images, store } = this.#options;
    if (!images) throw unsupported('ImageUri', 'deploy the function as a zip archive');
    // A function may call this API too, and must not make this machine's own services be asked.
    if (!LOOPBACK.test(caller.sourceIp) && !ECR_URI.test(uri)) {
      throw unsupported(`ImageUri=${uri}`, 'images outside of ECR are for programs of this machine: push it to ECR');
    }
    const image = await images.resolve(uri, caller).catch((error: unknown) => {
      if (!(error instanceof ServiceError)) throw error;
      throw invalidParameter(`Source image ${uri} is not valid. Provide a valid source image. (${error.message})`);
    });
    const { id, digest, resolvedUri } = image;
    this.#pin(id, 1);
    try {
      await store.put(keys.heldImage(id), true);
      await images.hold(id);
    } catch (error) {
      this.#pin(id, -1);
      throw error;
    }
    return {
      image: { id, uri, resolvedUri },
      size: 0,
      unpackedSize: 0,
      sha256: digest.slice(digest.indexOf(':') + 1),
      release: () => {
        this.#pin(id, -1);
        this.unused(id);
      },
    };
  }

  reference(transaction: Transaction, id: string, owner: readonly string[]): void {
    transaction.put(keys.codeUse(id, owner), true);
  }

  dereference(transaction: Transaction, id: string, owner: readonly string[]): void {
    transaction.delete(keys.codeUse(id, owner));
  }

  /** Lets it go in a while if no version names it by then. */
  unused(id: string): void {
    const { clock, logger } = this.#options;
    const timer = clock.at(clock.now() + UNUSED_GRACE_MS, () => {
      this.#timers.delete(timer);
      this.#collect(id).catch((error: unknown) => {
        logger.warn('an unused image of a function could not be let go', { image: id, error });
      });
    });
    this.#timers.add(timer);
  }

  async #collect(id: string): Promise<void> {
    const { images, store } = this.#options;
    if (this.#pins.has(id)) return;
    const used = await store.range({ prefix: keys.codeUses(id), limit: 1 });
    if (used.length > 0 || this.#pins.has(id)) return;
    await images?.letGo(id);
    await store.delete(keys.heldImage(id));
  }

  #pin(id: string, by: 1 | -1): void {
    const pins = (this.#pins.get(id) ?? 0) + by;
    if (pins === 0) this.#pins.delete(id);
    else this.#pins.set(id, pins);
  }
}
