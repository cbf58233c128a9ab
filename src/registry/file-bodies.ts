import { type FileHandle, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';

/** A part of a file that is open to be sent; the file may be deleted from then on. */
export interface FileBody {
  /** Sends it and ends the answer. Never rejects: what cannot be made whole is cut off. */
  send(response: ServerResponse): Promise<void>;
}

const SIZE = 512 * 1024;
/** Buffers that are kept for the next answers. */
const KEEP = 8;

/** Sends files from buffers that are used again and again: fresh memory for each piece costs more than the sending. */
export class FileBodies {
  readonly #free: Buffer[] = [];

  /** `undefined` when there is no such file. */
  async open(path: string, start: number, length: number): Promise<FileBody | undefined> {
    try {
      const file = await open(path, 'r');
      return { send: (response) => this.#send(file, start, length, response) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #send(file: FileHandle, start: number, length: number, response: ServerResponse): Promise<void> {
    let [reading, sending] = [this.#take(), this.#take()];
    let sent: Promise<void> = Promise.resolve();
    try {
      for (let at = 0; at < length; ) {
        const bytes = await read(file, reading, start + at, Math.min(SIZE, length - at));
        at += bytes.length;
        await sent;
        sent = write(response, bytes);
        // It is awaited above or below; until then it must not count as unhandled.
        sent.catch(() => {});
        [reading, sending] = [sending, reading];
      }
      await sent;
      response.end();
      this.#give(reading, sending);
    } catch {
      // The client has gone, or the file is not what it was. The connection may still hold the buffers.
      response.destroy();
    } finally {
      await file.close();
    }
  }

  #take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
  }

  #give(...buffers: readonly Buffer[]): void {
    for (const buffer of buffers) if (this.#free.length < KEEP) this.#free.push(buffer);
  }
}

async function read(file: FileHandle, buffer: Buffer, position: number, length: number): Promise<Buffer> {
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead === 0) throw new Error('the file of a blob has been cut short');
  return buffer.subarray(0, bytesRead);
}

/** Resolves when the bytes have been handed to the system. */
function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error('the connection is closed'));
    if (response.destroyed) return gone();
    response.once('close', gone);
    response.write(bytes, (error) => {
      response.off('close', gone);
      if (error) reject(error);
      else resolve();
    });
  });
}
