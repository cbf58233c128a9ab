import type { Random } from '../../base/random.ts';
import type { Descriptor } from '../oci.ts';
import type { RegistryClient } from './registry-client.ts';
import { protocolError } from './registry-errors.ts';
import { Backoff, type RetryPolicy } from './retry.ts';

export interface DownloadOptions {
  readonly random: Random;
  readonly retries: RetryPolicy;
  readonly signal: AbortSignal;
  readonly onProgress: (current: number) => void;
}

/** The connection has ended before everything had come. */
class CutShortError extends Error {
  readonly code = 'ECONNRESET';
}

/** The bytes of a blob. A broken connection is taken up again where it broke; only failures without any progress count. */
export async function* download(
  client: RegistryClient,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  { random, retries, signal, onProgress }: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  const backoff = new Backoff(retries, random, signal);
  let received = 0;
  while (received < size) {
    try {
      const { body, start } = await client.openBlob(digest, received, signal);
      // A registry without ranges begins anew.
      let skip = received - start;
      if (skip < 0) {
        body.destroy();
        throw protocolError(`the registry answers from byte ${start} on instead of ${received}`);
      }
      for await (const chunk of body as AsyncIterable<Buffer>) {
        const bytes = skip > 0 ? chunk.subarray(Math.min(skip, chunk.length)) : chunk;
        skip -= chunk.length - bytes.length;
        if (bytes.length === 0) continue;
        received += bytes.length;
        backoff.reset();
        yield bytes;
        onProgress(received);
      }
      if (received < size) throw new CutShortError(`the registry sent ${received} of ${size} bytes`);
    } catch (error) {
      await backoff.after(error);
    }
  }
}
