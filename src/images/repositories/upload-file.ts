import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { outOfOrder, sizeInvalid, uploadSuperseded, uploadUnknown } from './errors.ts';

/** Bytes `start`..`end`, both inclusive. */
export interface ChunkRange {
  readonly start: number;
  readonly end: number;
}

/** Bytes gathered before they are handed to the disk; the next ones come meanwhile. */
const GATHER = 1024 * 1024;
const READ_CHUNK = 256 * 1024;
/** Buffers that are kept for the next uploads. */
const KEEP = 8;

/** Buffers of uploads, used again and again: fresh memory costs more than what is done with it. */
export class UploadBuffers {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(GATHER);
  }

  /** Takes back what nothing reads or writes any more. */
  give(...buffers: readonly Buffer[]): void {
    for (const buffer of buffers) if (this.#free.length < KEEP) this.#free.push(buffer);
  }
}

/**
 * The file of an upload. How far the upload has come is the file's size; the hash of what is in it is kept along, and
 * made anew from the file where it is not known: after a restart, or when a write has failed half-way.
 */
export class UploadFile {
  readonly path: string;
  readonly #buffers: UploadBuffers;
  #sha256: Hash = createHash('sha256');
  #hashed = 0;
  /** Ends when whoever is using the file has let go of it. */
  #turn: Promise<unknown> = Promise.resolve();
  #source: AsyncIterable<Uint8Array> | undefined;
  #users = 0;

  constructor(path: string, buffers: UploadBuffers) {
    this.path = path;
    this.#buffers = buffers;
  }

  get idle(): boolean {
    return this.#users === 0;
  }

  /** Appends; answers the size then. Cuts off an earlier request that is still appending: its client has given it up. */
  append(source: AsyncIterable<Uint8Array>, range: ChunkRange | undefined): Promise<number> {
    return this.exclusively(() => this.#append(source, range));
  }

  /** SHA-256 and size of what has come. */
  async digest(): Promise<{ readonly digest: string; readonly size: number }> {
    const file = await openUpload(this.path, 'r');
    try {
      const { size } = await file.stat();
      await this.#catchUp(file, size);
      return { digest: `sha256:${this.#sha256.copy().digest('hex')}`, size };
    } finally {
      await file.close();
    }
  }

  /** Runs `use` when nobody else uses the file. */
  exclusively<T>(use: () => Promise<T>): Promise<T> {
    if (this.#source instanceof Readable) this.#source.destroy(uploadSuperseded());
    this.#users++;
    const mine = this.#turn.then(use).finally(() => {
      this.#users--;
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #append(source: AsyncIterable<Uint8Array>, range: ChunkRange | undefined): Promise<number> {
    const file = await openUpload(this.path, 'r+');
    this.#source = source;
    try {
      const { size: begin } = await file.stat();
      if (range && range.start !== begin) throw outOfOrder(begin);
      await this.#catchUp(file, begin);
      const most = range ? range.end - range.start + 1 : Number.POSITIVE_INFINITY;
      const written = await this.#write(file, begin, source, most);
      if (written <= most && (range === undefined || written === most)) return begin + written;
      // Other bytes than were told: none of them count.
      await file.truncate(begin);
      throw sizeInvalid(`the chunk's Content-Range is for ${most} bytes`);
    } finally {
      this.#source = undefined;
      await file.close();
    }
  }

  /**
   * Writes at most one chunk more than `most` bytes; answers how many came. What comes is copied together, so that the
   * small pieces that the network brings are garbage at once, while one buffer is filled and the other is written.
   */
  async #write(file: FileHandle, begin: number, source: AsyncIterable<Uint8Array>, most: number): Promise<number> {
    let came = 0;
    let position = begin;
    let [filling, other] = [this.#buffers.take(), this.#buffers.take()];
    let filled = 0;
    let writing: Promise<void> = Promise.resolve();
    let failure: { readonly error: unknown } | undefined;
    const flush = async () => {
      await writing;
      if (failure || filled === 0) return;
      const [bytes, at] = [filling.subarray(0, filled), position];
      [filling, other] = [other, filling];
      position += filled;
      filled = 0;
      this.#sha256.update(bytes);
      this.#hashed += bytes.length;
      writing = writeAll(file, bytes, at).catch((error: unknown) => {
        failure ??= { error };
      });
    };
    try {
      // Left open when it has too much: its client is to see the answer.
      const chunks = source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source;
      for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
        came += chunk.length;
        if (came > most) break;
        for (let from = 0; from < chunk.length; ) {
          const part = chunk.subarray(from, from + filling.length - filled);
          filling.set(part, filled);
          filled += part.length;
          from += part.length;
          if (filled === filling.length) await flush();
          if (failure) break;
        }
        if (failure) break;
      }
    } finally {
      // Also when the client has gone: it may come back and go on from here.
      await flush();
      await writing;
      this.#buffers.give(filling, other);
    }
    if (failure) throw failure.error;
    return came;
  }

  /** Brings the hash to where the file is. */
  async #catchUp(file: FileHandle, size: number): Promise<void> {
    if (this.#hashed > size) {
      this.#sha256 = createHash('sha256');
      this.#hashed = 0;
    }
    if (this.#hashed === size) return;
    const rest = file.createReadStream({
      start: this.#hashed,
      end: size - 1,
      highWaterMark: READ_CHUNK,
      autoClose: false,
    });
    for await (const chunk of rest as AsyncIterable<Buffer>) {
      this.#sha256.update(chunk);
      this.#hashed += chunk.length;
    }
    if (this.#hashed !== size) throw new Error('the file of an upload has been cut short');
  }
}

/** The SHA-512 of a file. */
export async function sha512Of(path: string): Promise<string> {
  const sha512 = createHash('sha512');
  for await (const chunk of createReadStream(path, { highWaterMark: READ_CHUNK })) sha512.update(chunk);
  return `sha512:${sha512.digest('hex')}`;
}

async function openUpload(path: string, flags: 'r' | 'r+'): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw uploadUnknown();
    throw error;
  }
}

/** A short write goes on where it stopped. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}
