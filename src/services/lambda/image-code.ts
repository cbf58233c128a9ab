import type { Clock, Timer } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { BlobLease, Store, Transaction } from '../../store/index.ts';
import { accessDenied, invalidParameter, unsupported } from './errors.ts';
import { notValid, parseImageUri } from './image-uri.ts';
import { type CodeRecord, keys } from './model.ts';
import type { FunctionImages, ImageUse } from './ports.ts';

/** An image that lost its last function stays this long: an invocation of the old code may still run. */
const UNUSED_GRACE_MS = 16 * 60_000;
/** "10 GB (maximum uncompressed image size, including all layers)" (Lambda Developer Guide, "Lambda quotas"). */
const MAX_SIZE = 10 * 1024 ** 3;

const LOOPBACK = /^(?:(?:::ffff:)?127\.|::1$)/;

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
  readonly #working = new Map<string, Promise<void>>();

  constructor(options: ImageCodesOptions) {
    this.#options = options;
  }

  /** Lets images go that no version names: a killed run had taken them, or the functions were reset. */
  async start(): Promise<void> {
    for (const id of (await this.#options.images?.held()) ?? []) await this.#collect(id).catch(this.#warn(id));
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  /**
   * Pulls the image and holds it until `release`, by when a version must refer to it. Throws InvalidParameterValueException (it is
   * none, or not there), AccessDeniedException.
   */
  async take(uri: string, use: ImageUse): Promise<CodeRecord & BlobLease> {
    const { images, store } = this.#options;
    if (!images) throw unsupported('ImageUri', 'deploy the function as a zip archive');
    const name = await parseImageUri(uri, use);
    // A function may call this API too, and must not make this machine's own services be asked.
    if (!name.ecr && !LOOPBACK.test(use.context.sourceIp)) {
      throw unsupported(`ImageUri=${uri}`, 'images outside of ECR are for programs of this machine: push it to ECR');
    }
    const pulled = await images.resolve(name, use).catch((error: unknown) => {
      throw refusalOf(error, uri);
    });
    const { id, digest, size } = pulled;
    const release = () => {
      this.#pin(id, -1);
      this.unused(id);
    };
    this.#pin(id, 1);
    try {
      if (size > MAX_SIZE) throw notValid(uri, `its layers have ${size} bytes, and may have ${MAX_SIZE}`);
      // Another function may have lost the same image meanwhile, and with it gone whatever was pulled.
      await this.#oneByOne(id, async () => {
        await store.put(keys.heldImage(id), true);
        await images.hold(id).catch(async (error: unknown) => {
          if (!(error instanceof ServiceError) || error.status !== 404) throw error;
          await images.resolve({ ...name, reference: `${name.repository}@${digest}` }, use);
        });
      });
    } catch (error) {
      release();
      throw error;
    }
    return {
      image: { id, uri, resolvedUri: `${name.repository}@${digest}` },
      size: 0,
      unpackedSize: 0,
      sha256: digest.slice(digest.indexOf(':') + 1),
      release,
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
    const { clock } = this.#options;
    const timer = clock.at(clock.now() + UNUSED_GRACE_MS, () => {
      this.#timers.delete(timer);
      this.#collect(id).catch(this.#warn(id));
    });
    this.#timers.add(timer);
  }

  /** It is tried again at the next start. */
  #warn(id: string) {
    return (error: unknown) =>
      this.#options.logger.warn('an unused image of a function could not be let go', { image: id, error });
  }

  #collect(id: string): Promise<void> {
    const { images, store } = this.#options;
    return this.#oneByOne(id, async () => {
      if (this.#pins.has(id)) return;
      const used = await store.range({ prefix: keys.codeUses(id), limit: 1 });
      if (used.length > 0 || this.#pins.has(id)) return;
      await images?.letGo(id);
      await store.delete(keys.heldImage(id));
    });
  }

  /** What is done about an image waits for what is being done about it. */
  async #oneByOne(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.#working.get(id);
    const done = (before ?? Promise.resolve()).then(work, work);
    this.#working.set(id, done);
    try {
      await done;
    } finally {
      if (this.#working.get(id) === done) this.#working.delete(id);
    }
  }

  #pin(id: string, by: 1 | -1): void {
    const pins = (this.#pins.get(id) ?? 0) + by;
    if (pins === 0) this.#pins.delete(id);
    else this.#pins.set(id, pins);
  }
}

/** As Lambda says it, with more where that would not tell enough. */
function refusalOf(error: unknown, uri: string): unknown {
  if (!(error instanceof ServiceError) || error.status >= 500) return error;
  const { code, message, status } = error;
  if (status === 404 || code === 'RepositoryNotFoundException') {
    return invalidParameter(`Source image ${uri} does not exist. Provide a valid source image.`);
  }
  if (status === 401 || status === 403) {
    return accessDenied('Lambda does not have permission to access the ECR image. Check the ECR permissions.');
  }
  if (code === 'MultiPlatformImage') {
    return invalidParameter(
      `The image manifest, config or layer media type for the source image ${uri} is not supported. (${message})`,
    );
  }
  return notValid(uri, message);
}
