import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import type { Clock, Timer } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { CodeLocation } from '../../functions/index.ts';
import { type BlobLease, type BlobStore, BlobTooLargeError, type Store, type Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { ArchiveError, ArchiveTooLargeError, unpack } from './archive.ts';
import { invalidParameter, unsupported } from './errors.ts';
import type { ImageCodes } from './image-code.ts';
import type { CodeRecord } from './model.ts';
import { keys } from './model.ts';
import type { ImageUse, ObjectAccess } from './ports.ts';

/** Source: Lambda Developer Guide, "Lambda quotas". */
export const CODE_LIMITS = { inlineZip: 50 * 1024 * 1024, unpacked: 250 * 1024 * 1024, entries: 100_000 };
/** A request whose base64 body holds more than 50 MB is refused with this figure. */
const REQUEST_LIMIT = 70_167_211;
/** The bucket name that stands for "a folder of this machine". */
const HOT_RELOAD_BUCKET = 'hot-reload';
/** An unused folder stays this long: an invocation of the old code may still read from it. */
const UNUSED_GRACE_MS = 16 * 60_000;

/** Where a package comes from, as CreateFunction, UpdateFunctionCode and PublishLayerVersion say it. */
export interface CodeSource {
  readonly ZipFile?: Uint8Array | undefined;
  readonly S3Bucket?: string | undefined;
  readonly S3Key?: string | undefined;
  readonly S3ObjectVersion?: string | undefined;
  readonly ImageUri?: string | undefined;
}

export interface CodePackagesOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly objects: ObjectAccess;
  readonly images: ImageCodes;
  /** Holds unpacked packages. The directory that it lies in is the program's own and never served as code. */
  readonly directory: string;
  /** Lets a caller name a folder of this machine as code. Only for a Kobune that no stranger can reach. */
  readonly allowHotReload: boolean;
}

/**
 * Deployment packages: the zip is a blob, its unpacked folder a cache of it, shared by all versions with the same bytes.
 * The folder's parent is named after the machine's boot: files that were written but not yet on disk when the power went
 * are never trusted, and unpacking needs no sync.
 */
export class CodePackages {
  readonly #options: CodePackagesOptions;
  readonly #unpacked = new Map<string, Promise<string>>();
  readonly #pins = new Map<string, number>();
  readonly #timers = new Set<Timer>();
  #boot: string | undefined;

  constructor(options: CodePackagesOptions) {
    this.#options = options;
  }

  /** Makes the place ready: folders of earlier boots, half-unpacked ones and unused ones go. */
  async start(): Promise<void> {
    const boot = await this.#bootDirectory();
    const { directory, store } = this.#options;
    for (const name of await readdir(directory)) {
      if (join(directory, name) !== boot) await rm(join(directory, name), { recursive: true, force: true });
    }
    for (const name of await readdir(boot)) {
      const used = await store.range({ prefix: keys.codeUses(`sha256:${name.replace('.size', '')}`), limit: 1 });
      if (used.length === 0) await rm(join(boot, name), { recursive: true, force: true });
    }
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  /**
   * Takes a package in: checks it, stores and unpacks it. The result is held until `release`, by when it must have been
   * referenced in a transaction. `owner`: the function, which alone can have an image. Throws InvalidParameterValueException
   * (not a zip, too large, not found in S3), and what `ImageCodes.take` throws.
   */
  async take(
    source: CodeSource,
    context: RequestContext,
    owner?: Omit<ImageUse, 'context'>,
  ): Promise<CodeRecord & BlobLease> {
    const given = [source.ZipFile, source.S3Bucket ?? source.S3Key, source.ImageUri].filter(
      (part) => part !== undefined,
    );
    if (given.length === 1 && source.ImageUri && owner) {
      return this.#options.images.take(source.ImageUri, { ...owner, context });
    }
    if (given.length !== 1 || (source.ZipFile === undefined && (!source.S3Bucket || !source.S3Key))) {
      throw invalidParameter('Please provide a source for function code.');
    }
    if (source.S3Bucket === HOT_RELOAD_BUCKET) return this.#takeFolder(source.S3Key!, context);
    const blob = await this.#write(source, context).catch((error: unknown) => {
      throw asPackageError(error);
    });
    this.#pin(blob.digest, 1);
    try {
      const path = await this.#unpack(blob.digest);
      const unpackedSize = Number(await readFile(`${path}.size`, 'utf8'));
      return {
        digest: blob.digest,
        size: blob.size,
        unpackedSize,
        sha256: Buffer.from(blob.digest.slice('sha256:'.length), 'hex').toString('base64'),
        release: () => {
          blob.release();
          this.#pin(blob.digest, -1);
          this.#collectLater(blob.digest);
        },
      };
    } catch (error) {
      blob.release();
      this.#pin(blob.digest, -1);
      throw asPackageError(error);
    }
  }

  /** Where the engine finds the package; unpacks it again when the folder is gone. */
  async locate(code: CodeRecord): Promise<CodeLocation> {
    if (code.image !== undefined) return { directory: '', digest: code.image.id };
    if (code.hotReload !== undefined) {
      return { directory: code.hotReload, digest: code.sha256, hotReload: true };
    }
    return { directory: await this.#unpack(code.digest!), digest: code.digest! };
  }

  /** Notes in `transaction` that `owner` uses the package. */
  reference(transaction: Transaction, code: CodeRecord, owner: readonly string[]): void {
    if (code.image !== undefined) this.#options.images.reference(transaction, code.image.id, owner);
    if (code.digest === undefined) return;
    this.#options.blobs.reference(transaction, code.digest, ['lambda', ...owner]);
    transaction.put(keys.codeUse(code.digest, owner), true);
  }

  /** Notes in `transaction` that `owner` no longer uses it; call `unused` after the commit. */
  dereference(transaction: Transaction, code: CodeRecord, owner: readonly string[]): void {
    if (code.image !== undefined) this.#options.images.dereference(transaction, code.image.id, owner);
    if (code.digest === undefined) return;
    this.#options.blobs.dereference(transaction, code.digest, ['lambda', ...owner]);
    transaction.delete(keys.codeUse(code.digest, owner));
  }

  /** Removes the unpacked folder in a while if nothing uses the package by then. */
  unused(code: CodeRecord): void {
    if (code.digest !== undefined) this.#collectLater(code.digest);
    if (code.image !== undefined) this.#options.images.unused(code.image.id);
  }

  #collectLater(digest: string): void {
    const timer = this.#options.clock.at(this.#options.clock.now() + UNUSED_GRACE_MS, () => {
      this.#timers.delete(timer);
      this.#collect(digest).catch((error: unknown) => {
        this.#options.logger.warn('an unused function package could not be removed', { digest, error });
      });
    });
    this.#timers.add(timer);
  }

  async #collect(digest: string): Promise<void> {
    if (this.#pins.has(digest)) return;
    const used = await this.#options.store.range({ prefix: keys.codeUses(digest), limit: 1 });
    if (used.length > 0 || this.#pins.has(digest)) return;
    this.#unpacked.delete(digest);
    const path = join(await this.#bootDirectory(), hexOf(digest));
    await rm(path, { recursive: true, force: true });
    await rm(`${path}.size`, { force: true });
  }

  #pin(digest: string, by: 1 | -1): void {
    const pins = (this.#pins.get(digest) ?? 0) + by;
    if (pins === 0) this.#pins.delete(digest);
    else this.#pins.set(digest, pins);
  }

  async #takeFolder(path: string, { sourceIp }: RequestContext): Promise<CodeRecord & BlobLease> {
    if (!this.#options.allowHotReload) {
      throw unsupported(`S3Bucket=${HOT_RELOAD_BUCKET}`, 'it is off when other machines or identities are let in');
    }
    // A function may call this API too, and must not get at the host's files by naming them as another's code.
    if (!/^(?:(?:::ffff:)?127\.|::1$)/.test(sourceIp)) {
      throw unsupported(`S3Bucket=${HOT_RELOAD_BUCKET}`, 'it is for programs of the machine that the folder is on');
    }
    const found = isAbsolute(path) ? await stat(path).catch(() => undefined) : undefined;
    if (!found?.isDirectory()) {
      throw invalidParameter(
        `Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: bucket ${HOT_RELOAD_BUCKET} takes the absolute path of a local folder as key, and ${path} is not one`,
      );
    }
    const hotReload = await realpath(path);
    const data = dirname(await realpath(this.#options.directory));
    if (contains(hotReload, data) || contains(data, hotReload)) {
      throw unsupported(`code in ${path}`, "it holds this program's own data; use a folder of its own");
    }
    // As root's child, a function runs as another user.
    if (process.getuid?.() === 0 && (found.mode & 0o5) !== 0o5) {
      throw invalidParameter(`The folder ${path} is closed to the user that functions run as: chmod o+rx ${path}`);
    }
    const sha256 = createHash('sha256').update(hotReload).digest('base64');
    return { hotReload, size: 0, unpackedSize: 0, sha256, release: () => {} };
  }

  async #write(source: CodeSource, { account, region }: RequestContext) {
    const { blobs, objects } = this.#options;
    if (source.ZipFile !== undefined) {
      if (source.ZipFile.length === 0) throw invalidParameter('Uploaded file must be a non-empty zip');
      if (source.ZipFile.length > CODE_LIMITS.inlineZip) {
        throw new ServiceError(
          'RequestEntityTooLargeException',
          `Request must be smaller than ${REQUEST_LIMIT} bytes`,
          {
            status: 413,
          },
        );
      }
      return blobs.write(source.ZipFile);
    }
    try {
      const object = await objects.read({
        account,
        region,
        bucket: source.S3Bucket!,
        key: source.S3Key!,
        versionId: source.S3ObjectVersion,
      });
      if (object.size > CODE_LIMITS.unpacked) {
        object.body.destroy?.();
        throw tooLargeUnpacked();
      }
      return await blobs.write(object.body, { maxSize: CODE_LIMITS.unpacked });
    } catch (error) {
      if (error instanceof BlobTooLargeError) throw tooLargeUnpacked();
      if (error instanceof ServiceError && error.code !== 'InvalidParameterValueException') {
        throw invalidParameter(
          `Error occurred while GetObject. S3 Error Code: ${error.code}. S3 Error Message: ${error.message}`,
        );
      }
      throw error;
    }
  }

  #unpack(digest: string): Promise<string> {
    const known = this.#unpacked.get(digest);
    if (known) return known;
    const made = this.#makeFolder(digest);
    this.#unpacked.set(digest, made);
    made.catch(() => this.#unpacked.delete(digest));
    return made;
  }

  /** The folder appears whole or not at all: unpacked beside, then renamed. */
  async #makeFolder(digest: string): Promise<string> {
    const boot = await this.#bootDirectory();
    const path = join(boot, hexOf(digest));
    const there = await stat(path).catch(() => undefined);
    const sized = await stat(`${path}.size`).catch(() => undefined);
    if (there?.isDirectory() && sized) return path;
    const temporary = `${path}.${this.#options.random.hex(12)}`;
    try {
      await mkdir(temporary, { mode: 0o755 });
      const size = await unpack(this.#options.blobs.path(digest), temporary, {
        unpackedSize: CODE_LIMITS.unpacked,
        entries: CODE_LIMITS.entries,
      });
      await writeFile(`${path}.size`, String(size));
      await rename(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
        // Another process of this Kobune was faster with the same bytes.
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
        await rm(temporary, { recursive: true, force: true });
      });
      return path;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  async #bootDirectory(): Promise<string> {
    if (this.#boot === undefined) {
      const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
      // Without a boot id (macOS) nothing that an earlier run wrote is trusted.
      this.#boot = join(this.#options.directory, id?.trim() ?? this.#options.random.hex(32));
      await mkdir(this.#boot, { recursive: true, mode: 0o755 });
    }
    return this.#boot;
  }
}

/** True when `inner` is `outer` or lies in it. */
function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === '' || !(path.startsWith('..') || isAbsolute(path));
}

function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

function tooLargeUnpacked(): ServiceError {
  return invalidParameter(`Unzipped size must be smaller than ${CODE_LIMITS.unpacked} bytes`);
}

function asPackageError(error: unknown): unknown {
  if (error instanceof ArchiveTooLargeError) return tooLargeUnpacked();
  if (error instanceof ArchiveError) {
    return new ServiceError(
      'InvalidParameterValueException',
      'Could not unzip uploaded file. Please check your file, then try to upload again.',
      { members: { Type: 'User' }, detail: error.message },
    );
  }
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
    return new ServiceError('ServiceException', 'There is no space left on the disk for the deployment package.', {
      status: 500,
      members: { Type: 'Service' },
      cause: error,
    });
  }
  return error;
}
