import { createHash, hash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import {
  type Blob,
  BlobDigestError,
  type BlobLease,
  BlobNotFoundError,
  type BlobRange,
  type BlobStore,
  BlobTooLargeError,
  type WriteBlobOptions,
} from '../blob-store.ts';
import type { Store, Transaction } from '../store.ts';
import { DirectorySync } from './directory-sync.ts';
import { Leases } from './leases.ts';

export interface BlobStoreOptions {
  /** Made if missing. One process at a time: the one that has the store open. */
  readonly directory: string;
  /** Where references are kept. */
  readonly store: Store;
  readonly random: Random;
  /** With a clock, files without a reference are collected `collectAfter` after they lost or never got one. */
  readonly clock?: Clock;
  /** Milliseconds; a minute unless told. */
  readonly collectAfter?: number;
  /** False: no flush to disk. For directories that nobody wants back after a crash. */
  readonly durable?: boolean;
}

const REFERENCES = 'blob-references';
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const SECOND_NAME = /^sha512:[0-9a-f]{128}$/;
/** Bytes gathered before they are handed to the disk; the next ones are hashed meanwhile. */
const GATHER = 1024 * 1024;
const READ_CHUNK = 256 * 1024;

/** Opens the blobs of a data directory and removes temporary files that a killed process has left. */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  const blobs = new BlobFiles(options);
  await blobs.start();
  return blobs;
}

class BlobFiles implements BlobStore {
  readonly #files: string;
  readonly #temporary: string;
  readonly #options: BlobStoreOptions;
  readonly #leases = new Leases();
  readonly #directorySync: DirectorySync;
  readonly #working = new Set<Promise<unknown>>();
  #collecting: Promise<{ deleted: number; bytes: number }> | undefined;
  #nextCollection: Promise<{ deleted: number; bytes: number }> | undefined;
  #timer: Timer | undefined;
  #forget: () => Promise<void> = async () => {};
  #closed = false;

  constructor(options: BlobStoreOptions) {
    this.#options = options;
    this.#files = join(options.directory, 'sha256');
    this.#temporary = join(options.directory, 'temporary');
    this.#directorySync = new DirectorySync(this.#files);
  }

  async start(): Promise<void> {
    await rm(this.#temporary, { recursive: true, force: true });
    await mkdir(this.#temporary, { recursive: true });
    await mkdir(this.#files, { recursive: true });
    if (this.#options.durable !== false) await new DirectorySync(this.#options.directory).sync();
    // A killed process may have left finished files that no record came to name.
    this.collectLater();
  }

  write(source: AsyncIterable<Uint8Array> | Uint8Array, options: WriteBlobOptions = {}): Promise<Blob & BlobLease> {
    return this.#track(this.#write(source, options.maxSize ?? Number.POSITIVE_INFINITY, options.digest));
  }

  adopt(path: string, blob: Blob): Promise<Blob & BlobLease> {
    return this.#track(this.#adopt(path, blob));
  }

  async open(digest: string, range?: BlobRange): Promise<Readable> {
    const file = await this.#openFile(digest);
    return createReadStream('', { fd: file, highWaterMark: READ_CHUNK, ...range });
  }

  async read(digest: string, range?: BlobRange): Promise<Buffer> {
    const file = await this.#openFile(digest);
    try {
      const start = range?.start ?? 0;
      const end = Math.min(range?.end ?? Number.POSITIVE_INFINITY, (await file.stat()).size - 1);
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, end - start + 1));
      let at = 0;
      while (at < bytes.length) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
        if (bytesRead === 0) throw new Error(`the file of blob ${digest} has been cut short`);
        at += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  }

  async lease(digest: string): Promise<(Blob & BlobLease) | undefined> {
    const path = this.path(digest);
    const release = await this.#leases.take(digest);
    try {
      return { digest, size: (await stat(path)).size, release };
    } catch (error) {
      release();
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  path(digest: string): string {
    // Digests come from clients too: nothing else may ever become part of a path.
    if (!DIGEST.test(digest)) throw new BlobNotFoundError(digest);
    return join(this.#files, digest.slice('sha256:'.length));
  }

  reference(transaction: Transaction, digest: string, owner: readonly string[]): void {
    if (!DIGEST.test(digest) && !SECOND_NAME.test(digest)) throw new BlobNotFoundError(digest);
    transaction.put([REFERENCES, digest, ...owner], true);
  }

  dereference(transaction: Transaction, digest: string, owner: readonly string[]): void {
    transaction.delete([REFERENCES, digest, ...owner]);
    this.collectLater();
  }

  async isReferenced(digest: string, reader: Pick<Transaction, 'range'> = this.#options.store): Promise<boolean> {
    return (await reader.range({ prefix: [REFERENCES, digest], limit: 1 })).length > 0;
  }

  beforeCollecting(forget: () => Promise<void>): void {
    this.#forget = forget;
  }

  collectLater(): void {
    const { clock, collectAfter = 60_000 } = this.#options;
    if (!clock || this.#timer || this.#closed) return;
    this.#timer = clock.at(clock.now() + collectAfter, () => {
      this.#timer = undefined;
      // What fails now (a full disk, say) is tried again.
      if (!this.#closed) this.collect().catch(() => this.collectLater());
    });
  }

  collect(): Promise<{ readonly deleted: number; readonly bytes: number }> {
    if (!this.#collecting) return this.#startCollection();
    // The one under way may have passed what the caller has taken a reference from.
    this.#nextCollection ??= this.#track(
      this.#collecting.then(
        () => this.#startCollection(),
        () => this.#startCollection(),
      ),
    );
    return this.#nextCollection;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    while (this.#working.size > 0) await Promise.allSettled(this.#working);
  }

  async #write(
    source: AsyncIterable<Uint8Array> | Uint8Array,
    maxSize: number,
    expected?: string,
  ): Promise<Blob & BlobLease> {
    if (this.#closed) throw new Error('the blob store is closed');
    const temporary = join(this.#temporary, this.#options.random.hex(32));
    const file = await open(temporary, 'wx', 0o600);
    let renamed = false;
    try {
      const written =
        source instanceof Uint8Array
          ? await writeBytes(file, source, maxSize)
          : await writeStream(file, source, maxSize);
      if (expected !== undefined && written.digest !== expected) throw new BlobDigestError(expected, written.digest);
      const release = await this.#leases.take(written.digest);
      try {
        renamed = await this.#publish(file, temporary, this.path(written.digest));
        return { ...written, release: () => this.#let(written.digest, release) };
      } catch (error) {
        release();
        throw error;
      }
    } finally {
      await file.close();
      if (!renamed) await rm(temporary, { force: true });
    }
  }

  async #adopt(path: string, { digest, size }: Blob): Promise<Blob & BlobLease> {
    if (this.#closed) throw new Error('the blob store is closed');
    const target = this.path(digest);
    const file = await open(path, 'r');
    try {
      const release = await this.#leases.take(digest);
      try {
        if (!(await this.#publish(file, path, target))) await rm(path, { force: true });
        return { digest, size, release: () => this.#let(digest, release) };
      } catch (error) {
        release();
        if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      }
    } finally {
      await file.close();
    }
    const copied = await this.#write(createReadStream(path, { highWaterMark: READ_CHUNK }), size, digest);
    await rm(path, { force: true });
    return copied;
  }

  /** Gives a complete file its name; false when the same content is there already. */
  async #publish(file: FileHandle, temporary: string, path: string): Promise<boolean> {
    const durable = this.#options.durable !== false;
    const known = await exists(path);
    if (!known) {
      if (durable) await file.datasync();
      await rename(temporary, path);
    }
    // Also for a known file: whoever is writing it at this moment may not have come this far.
    if (durable) await this.#directorySync.sync();
    return !known;
  }

  async #openFile(digest: string): Promise<FileHandle> {
    try {
      return await open(this.path(digest), constants.O_RDONLY);
    } catch (error) {
      if (isMissing(error)) throw new BlobNotFoundError(digest, error);
      throw error;
    }
  }

  #startCollection(): Promise<{ deleted: number; bytes: number }> {
    this.#nextCollection = undefined;
    this.#collecting = this.#track(this.#collect()).finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collect(): Promise<{ deleted: number; bytes: number }> {
    if (this.#closed) return { deleted: 0, bytes: 0 };
    await this.#forget();
    let deleted = 0;
    let bytes = 0;
    for (const [i, name] of (await readdir(this.#files)).entries()) {
      if (this.#closed) break;
      if (i % 64 === 63) await turn(); // an embedded store answers without one, and others wait
      const digest = `sha256:${name}`;
      if (!DIGEST.test(digest)) continue;
      const removed = await this.#leases.unlessLeased(
        digest,
        async () => !(await this.isReferenced(digest)),
        async () => {
          const path = this.path(digest);
          const { size } = await stat(path);
          await unlink(path);
          return size;
        },
      );
      if (removed === undefined) continue;
      deleted++;
      bytes += removed;
    }
    return { deleted, bytes };
  }

  /** Ends the hold of who wrote a blob. If nothing refers to it by then, its request failed, and it is collected. */
  #let(digest: string, release: () => void): void {
    release();
    if (!this.#options.clock || this.#timer || this.#closed) return;
    const later = () => this.collectLater();
    this.#track(this.isReferenced(digest)).then((referenced) => referenced || later(), later);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const done = () => this.#working.delete(work);
    this.#working.add(work);
    work.then(done, done);
    return work;
  }
}

async function writeBytes(file: FileHandle, bytes: Uint8Array, maxSize: number): Promise<Blob> {
  if (bytes.length > maxSize) throw new BlobTooLargeError(maxSize);
  const writing = writeAll(file, [bytes], bytes.length);
  // Hashed here while a thread writes: `crypto.subtle` would hash elsewhere, for twice the processor time.
  const digest = hash('sha256', bytes);
  await writing;
  return { digest: `sha256:${digest}`, size: bytes.length };
}

async function writeStream(file: FileHandle, source: AsyncIterable<Uint8Array>, maxSize: number): Promise<Blob> {
  const sha256 = createHash('sha256');
  let size = 0;
  let gathered: Uint8Array[] = [];
  let gatheredSize = 0;
  let writing: Promise<void> = Promise.resolve();
  let failure: { error: unknown } | undefined;
  const flush = () => {
    const [chunks, bytes] = [gathered, gatheredSize];
    gathered = [];
    gatheredSize = 0;
    writing = writeAll(file, chunks, bytes).catch((error: unknown) => {
      failure = { error };
    });
  };
  try {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxSize) throw new BlobTooLargeError(maxSize);
      sha256.update(chunk);
      gathered.push(chunk);
      gatheredSize += chunk.length;
      if (gatheredSize >= GATHER) {
        await writing;
        if (failure) break;
        flush();
      }
    }
  } finally {
    await writing;
  }
  if (!failure && gatheredSize > 0) {
    flush();
    await writing;
  }
  if (failure) throw failure.error;
  return { digest: `sha256:${sha256.digest('hex')}`, size };
}

/** Writes at the file's position; a short write goes on where it stopped. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], size: number): Promise<void> {
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten === size) return;
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let at = 0; at < rest.length; ) at += (await file.write(rest, at)).bytesWritten;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException)?.code === 'ENOENT';
}
