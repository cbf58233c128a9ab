import { closeSync, createWriteStream, openSync, readSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { crc32, inflateRawSync } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { resolvesInside } from './archive-links.ts';

export interface ArchiveLimits {
  /** Bytes of all files together, unpacked. */
  readonly unpackedSize: number;
  readonly entries: number;
}

/** The zip cannot be taken: not a zip, damaged, or it tries something that no honest package does. */
export class ArchiveError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ArchiveError';
  }
}

/** The zip holds more than the limits allow. */
export class ArchiveTooLargeError extends ArchiveError {
  constructor(message: string) {
    super(message);
    this.name = 'ArchiveTooLargeError';
  }
}

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const SYMLINK = 0o120000;
/** "Version made by" hosts whose external attributes hold a Unix mode. */
const UNIX_HOSTS = new Set([3, 19]);
const MAX_LINK_LENGTH = 4096;
/** Bytes up to which an entry is handled in one go. */
const SMALL = 128 * 1024;
const DEFLATED = 8;

/**
 * Unpacks the zip at `path` into the empty directory `target`. Nothing is ever written through a link: links are made
 * after all files, and only those that stay inside. Returns the unpacked size in bytes. Rejects with ArchiveError (and
 * leaves `target` for the caller to remove) on anything but regular files, directories and inner links; on names that climb
 * out, on duplicates, encryption, and past the limits, whether the headers admit the size or not.
 */
export async function unpack(path: string, target: string, limits: ArchiveLimits): Promise<number> {
  const zip = await open(path);
  const file = openSync(path, 'r');
  try {
    return await new Unpacking(zip, file, target, limits).run();
  } catch (error) {
    throw asArchiveError(error);
  } finally {
    closeSync(file);
    zip.close();
  }
}

async function open(path: string): Promise<ZipFile> {
  try {
    return await openPromise(path, {
      autoClose: false,
      decodeStrings: true,
      strictFileNames: true,
      validateEntrySizes: true,
    });
  } catch (error) {
    throw asArchiveError(error);
  }
}

/** Trouble with the machine (disk full, no permission) stays what it is; the rest is the archive's own fault. */
function asArchiveError(error: unknown): unknown {
  if (error instanceof ArchiveError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (['EEXIST', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'EINVAL', 'ELOOP'].includes(code)) {
    return new ArchiveError(`conflicting or invalid names: ${String(error)}`, { cause: error });
  }
  if (code === '' || code.startsWith('Z_') || code.startsWith('ERR_')) {
    return new ArchiveError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  return error;
}

class Unpacking {
  readonly #zip: ZipFile;
  /** The archive's own descriptor, for small entries. */
  readonly #file: number;
  readonly #target: string;
  readonly #limits: ArchiveLimits;
  readonly #directories = new Set<string>();
  readonly #names = new Set<string>();
  readonly #links = new Map<string, string>();
  #size = 0;

  constructor(zip: ZipFile, file: number, target: string, limits: ArchiveLimits) {
    this.#zip = zip;
    this.#file = file;
    this.#target = target;
    this.#limits = limits;
  }

  async run(): Promise<number> {
    if (this.#zip.entryCount > this.#limits.entries) throw new ArchiveTooLargeError('too many entries');
    let declared = 0;
    let count = 0;
    for await (const entry of this.#zip.eachEntry()) {
      count += 1;
      declared += entry.uncompressedSize;
      if (count > this.#limits.entries) throw new ArchiveTooLargeError('too many entries');
      if (declared > this.#limits.unpackedSize) throw new ArchiveTooLargeError('declared size beyond the limit');
      await this.#take(entry);
    }
    await this.#makeLinks();
    return this.#size;
  }

  async #take(entry: Entry): Promise<void> {
    if (entry.isEncrypted()) throw new ArchiveError('encrypted entry');
    if (!entry.canDecodeFileData()) throw new ArchiveError(`compression method ${entry.compressionMethod}`);
    const name = plainName(entry.fileName);
    const mode = UNIX_HOSTS.has(entry.versionMadeBy >> 8) ? entry.externalFileAttributes >>> 16 : 0;
    const type = mode & FILE_TYPE;
    if (entry.fileName.endsWith('/') || type === DIRECTORY) {
      await this.#makeDirectory(name);
      return;
    }
    if (this.#names.has(name)) throw new ArchiveError(`duplicate entry ${name}`);
    this.#names.add(name);
    if (type === SYMLINK) {
      if (entry.uncompressedSize > MAX_LINK_LENGTH) throw new ArchiveError('link target too long');
      this.#links.set(name, (await buffer(await this.#zip.openReadStreamPromise(entry))).toString());
      return;
    }
    if (type !== 0 && type !== REGULAR) throw new ArchiveError(`${name} is a special file`);
    await this.#makeDirectory(dirname(name));
    // Everyone may read: the sandbox runs as another user. Execute bits are the package's; set-id bits are dropped.
    const permissions = 0o644 | (mode & 0o111);
    if (Math.max(entry.uncompressedSize, entry.compressedSize) <= SMALL) {
      await this.#writeSmall(entry, name, permissions);
    } else await this.#writeLarge(entry, name, permissions);
  }

  /** A package is mostly thousands of small files: no streams for those. */
  async #writeSmall(entry: Entry, name: string, mode: number): Promise<void> {
    const { fileDataStart } = await this.#zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const stored = Buffer.allocUnsafe(entry.compressedSize);
    if (readSync(this.#file, stored, 0, stored.length, fileDataStart) !== stored.length) {
      throw new ArchiveError(`${name} is cut off`);
    }
    const deflated = entry.compressionMethod === DEFLATED;
    const content = deflated
      ? inflateRawSync(stored, { maxOutputLength: Math.max(1, entry.uncompressedSize) })
      : stored;
    if (content.length !== entry.uncompressedSize) throw new ArchiveError(`${name} is not as long as declared`);
    if (crc32(content) !== entry.crc32) throw new ArchiveError(`${name} has a wrong checksum`);
    this.#size += content.length;
    // Making a file takes the file system far longer than all the rest, so that alone is not done on this thread.
    await writeFile(join(this.#target, name), content, { flag: 'wx', mode });
  }

  async #writeLarge(entry: Entry, name: string, mode: number): Promise<void> {
    const stream: Readable = await this.#zip.openReadStreamPromise(entry);
    let checksum = 0;
    const meter = new Transform({
      transform: (chunk: Buffer, _encoding, callback) => {
        checksum = crc32(chunk, checksum);
        // Real bytes count, for archives whose headers lie.
        this.#size += chunk.length;
        if (this.#size > this.#limits.unpackedSize)
          callback(new ArchiveTooLargeError('unpacked size beyond the limit'));
        else callback(null, chunk);
      },
    });
    await pipeline(stream, meter, createWriteStream(join(this.#target, name), { flags: 'wx', mode }));
    if (checksum !== entry.crc32) throw new ArchiveError(`${name} has a wrong checksum`);
  }

  async #makeDirectory(name: string): Promise<void> {
    if (name === '.' || name === '' || this.#directories.has(name)) return;
    await mkdir(join(this.#target, name), { recursive: true, mode: 0o755 });
    for (let parent = name; parent !== '.'; parent = dirname(parent)) this.#directories.add(parent);
  }

  async #makeLinks(): Promise<void> {
    for (const [name, to] of this.#links) {
      if (!resolvesInside(name, to, this.#links)) throw new ArchiveError(`${name} links to a place outside`);
    }
    for (const [name, to] of this.#links) {
      await this.#makeDirectory(dirname(name));
      await symlink(to, join(this.#target, name));
    }
  }
}

/** The entry's name as a clean relative path. yauzl has refused `..`, absolute names and backslashes already. */
function plainName(fileName: string): string {
  if (fileName.includes('\0')) throw new ArchiveError('a name with a NUL');
  const parts = fileName.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || fileName.startsWith('/') || fileName.includes('\\')) {
    throw new ArchiveError(`${fileName} climbs out of the archive`);
  }
  if (parts.length === 0 && !fileName.endsWith('/')) throw new ArchiveError('an entry without a name');
  return parts.join('/');
}
