import { ServiceError } from '../../base/errors.ts';
import type { SentError } from './worker-messages.ts';

/** What went wrong with the files of an image, in words for the user where the archive or the disk is at fault. */
export function imageError(error: SentError): Error {
  const { name, message, code, stack } = error;
  if (name === 'TarError') return new ServiceError('InvalidArchive', message);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ServiceError('DiskFull', 'no space left on device', { status: 507, detail: message });
  }
  // The decompressors' own.
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_') || code === 'ERR_BUFFER_OUT_OF_BOUNDS') {
    return new ServiceError('InvalidArchive', `the archive cannot be decompressed: ${message}`);
  }
  return Object.assign(new Error(message), { name, code, stack });
}
