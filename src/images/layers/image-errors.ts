import { ServiceError } from '../../base/errors.ts';
import { BlobDigestError, BlobTooLargeError, StoreWriteError } from '../../store/index.ts';
import { SizeMismatchError } from '../content.ts';
import { TarError } from '../tar/tar-entry.ts';
import type { SentError } from './worker-messages.ts';

/** What went wrong with content or files of an image, in words for the user where those or the disk are at fault. */
export function imageError(error: unknown): Error {
  if (error instanceof ServiceError) return error;
  const { name, message = String(error), code: given, stack } = (error ?? {}) as Partial<SentError>;
  // An aborted signal's error has a number.
  const code = typeof given === 'string' ? given : undefined;
  const isWrong =
    error instanceof BlobDigestError || error instanceof SizeMismatchError || error instanceof BlobTooLargeError;
  if (isWrong) return new ServiceError('InvalidContent', message, { cause: error });
  if (error instanceof TarError || name === 'TarError') return new ServiceError('InvalidArchive', message);
  const isFull = error instanceof StoreWriteError && message.endsWith(' is full');
  if (isFull || code === 'ENOSPC' || code === 'EDQUOT') {
    return new ServiceError('DiskFull', 'no space left on device', { status: 507, detail: message });
  }
  if (message === 'chroot: EPERM') {
    return new ServiceError('NotSupported', 'images can be unpacked by root alone: run Kobune as root', {
      status: 501,
    });
  }
  // The decompressors' own.
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_') || code === 'ERR_BUFFER_OUT_OF_BOUNDS') {
    return new ServiceError('InvalidArchive', `the archive cannot be decompressed: ${message}`);
  }
  return error instanceof Error ? error : Object.assign(new Error(message), { name, code, stack });
}

/** The same work; what fails is told in words for the user. */
export async function inWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw imageError(error);
  }
}
