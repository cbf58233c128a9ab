import { mkdir, open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Descriptor } from '../oci.ts';
import type { Blobs } from './blobs.ts';
import { digestMalformed, digestMismatch, uploadUnknown } from './errors.ts';
import { algorithmOf, isDigest } from './grammar.ts';
import type { Upload } from './repositories.ts';
import { getRepository, type RegistryState, repositoryForPush } from './state.ts';
import { type ChunkRange, sha512Of, UploadBuffers, UploadFile } from './upload-file.ts';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const FILE = /^([0-9a-f]{16})\.([0-9a-f-]{36})$/;
/** Uploads that nobody has gone on with for this long are given up. */
export const UPLOAD_EXPIRY_MS = 7 * 24 * 3_600_000;
/** Hashes kept at hand; those of other uploads are made anew from their files. */
const MAX_OPEN = 1000;

/**
 * Uploads under way. An upload is a file, `<repository's id>.<upload's id>`: nothing else is written until it is
 * complete, and what is in it after a kill is where the client goes on. Its time is by the clock.
 */
export class Uploads {
  readonly #state: RegistryState;
  readonly #blobs: Blobs;
  readonly #directory: string;
  readonly #open = new Map<string, UploadFile>();
  readonly #buffers = new UploadBuffers();
  #made: Promise<unknown> | undefined;

  constructor(state: RegistryState, blobs: Blobs, directory: string) {
    this.#state = state;
    this.#blobs = blobs;
    this.#directory = directory;
  }

  async start(repository: string): Promise<Upload> {
    const target = await repositoryForPush(this.#state, repository);
    const id = this.#state.random.uuid();
    this.#made ??= mkdir(this.#directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    await this.#made;
    const path = this.#path(target.id, id);
    await (await open(path, 'wx', 0o600)).close();
    await this.#touch(path);
    this.#state.collectLater();
    return { id, repository, offset: 0 };
  }

  async get(repository: string, id: string): Promise<Upload> {
    const { path } = await this.#find(repository, id);
    return { id, repository, offset: (await stat(path)).size };
  }

  async append(
    repository: string,
    id: string,
    source: AsyncIterable<Uint8Array>,
    range: ChunkRange | undefined,
  ): Promise<Upload> {
    const { path } = await this.#find(repository, id);
    try {
      return { id, repository, offset: await this.#file(path).append(source, range) };
    } finally {
      await this.#touch(path);
    }
  }

  /** Verifies and publishes. What does not have the digest is thrown away. */
  async finish(
    repository: string,
    id: string,
    digest: string,
    source: AsyncIterable<Uint8Array> | undefined,
    range: ChunkRange | undefined,
  ): Promise<Descriptor> {
    if (!isDigest(digest)) throw digestMalformed(digest);
    const { path, target } = await this.#find(repository, id);
    const file = this.#file(path);
    if (source) await file.append(source, range);
    const content = await file.exclusively(async () => {
      const blob = await file.digest();
      const sha512 = algorithmOf(digest) === 'sha512';
      if ((sha512 ? await sha512Of(path) : blob.digest) !== digest) {
        await this.#discard(path);
        throw digestMismatch(digest);
      }
      const adopted = await this.#state.content.adopt(path, blob, ...(sha512 ? [digest] : []));
      this.#open.delete(path);
      return adopted;
    });
    return this.#blobs.keep(repository, target, content);
  }

  async cancel(repository: string, id: string): Promise<void> {
    const { path } = await this.#find(repository, id);
    await this.#file(path).exclusively(() => this.#discard(path));
  }

  /** Deletes uploads that were given up, and those of repositories that are no more. Answers how many are left. */
  async expire(isRepository: (id: string) => Promise<boolean>): Promise<number> {
    const oldest = this.#state.clock.now() - UPLOAD_EXPIRY_MS;
    let left = 0;
    for (const name of await this.#names()) {
      const path = join(this.#directory, name);
      const file = this.#open.get(path);
      const time = await modifiedAt(path);
      const stays =
        time === undefined || (file && !file.idle) || (time > oldest && (await isRepository(name.slice(0, 16))));
      if (!stays) await this.#discard(path);
      else if (time !== undefined) left++;
    }
    return left;
  }

  /** Whether a repository has uploads. */
  async has(repositoryId: string): Promise<boolean> {
    return (await this.#names()).some((name) => name.startsWith(repositoryId));
  }

  /** Resolves when no request uses a file any more. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map((file) => file.exclusively(async () => {})));
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#directory)).filter((name) => FILE.test(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  async #find(repository: string, id: string) {
    const target = await getRepository(this.#state.store, repository);
    if (!UUID.test(id)) throw uploadUnknown();
    const path = this.#path(target.id, id);
    if ((await modifiedAt(path)) === undefined) throw uploadUnknown();
    return { path, target };
  }

  #path(repositoryId: string, id: string): string {
    return join(this.#directory, `${repositoryId}.${id}`);
  }

  #file(path: string): UploadFile {
    let file = this.#open.get(path);
    if (!file) {
      file = new UploadFile(path, this.#buffers);
      this.#open.set(path, file);
      if (this.#open.size > MAX_OPEN) this.#forgetIdle();
    }
    return file;
  }

  #forgetIdle(): void {
    for (const [path, file] of this.#open) {
      if (this.#open.size <= MAX_OPEN) return;
      if (file.idle) this.#open.delete(path);
    }
  }

  async #discard(path: string): Promise<void> {
    this.#open.delete(path);
    await rm(path, { force: true });
  }

  /** The file's time is how a later run knows when the upload was last gone on with. */
  async #touch(path: string): Promise<void> {
    const seconds = this.#state.clock.now() / 1000;
    await utimes(path, seconds, seconds).catch((error: NodeJS.ErrnoException) => {
      // Finished or cancelled meanwhile.
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
