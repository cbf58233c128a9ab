import type { Clock } from '../../../base/clock.ts';
import { ServiceError } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';
import { guardedLookup, isAllowedHost } from '../../../events/index.ts';
import { createRegistryReader, RegistryAnswerError, type RegistryReader } from '../../../images/index.ts';
import type { UpstreamRepository, Upstreams } from './upstream.ts';

/** Upstreams over the network. Rules that were not made from this machine do not reach it. */
export function createUpstreams(parts: { readonly clock: Clock; readonly random: Random }): Upstreams & {
  close(): void;
} {
  const readers = new Map<boolean, RegistryReader>();
  const readerFor = ({ local }: Pick<UpstreamRepository, 'local'>): RegistryReader => {
    let reader = readers.get(local);
    if (!reader) {
      const guard = { allows: (hostname: string) => isAllowedHost(hostname, local), lookup: guardedLookup(local) };
      reader = createRegistryReader({ ...parts, guard });
      readers.set(local, reader);
    }
    return reader;
  };
  return {
    manifest: async (from, reference) => {
      const found = await ask(from, readerFor(from).manifest(remote(from), reference));
      return found && { ...found, mediaType: found.mediaType ?? '' };
    },
    blob: async (from, digest) => told(from, await ask(from, readerFor(from).blob(remote(from), digest))),
    check: (from) => ask(from, readerFor(from).check(remote({ ...from, repository: '' }))),
    close: () => {
      for (const reader of readers.values()) reader.close();
    },
  };
}

function remote({ url, repository, credentials }: UpstreamRepository) {
  return { url, repository, ...(credentials ? { auth: credentials } : {}) };
}

async function ask<T>({ url }: Pick<UpstreamRepository, 'url'>, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw upstreamError(error, new URL(url).host);
  }
}

/** What comes, or what went wrong on the way. */
async function* told(
  { url }: Pick<UpstreamRepository, 'url'>,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw upstreamError(error, new URL(url).host);
  }
}

/** What went wrong, in the words that ECR has for it. */
function upstreamError(error: unknown, host: string): unknown {
  const message = `${host}: ${error instanceof Error ? error.message : String(error)}`;
  const status = error instanceof RegistryAnswerError || error instanceof ServiceError ? error.status : undefined;
  if (status === 401 || status === 403) return new ServiceError('UpstreamAccessDenied', message, { status: 403 });
  if (status === 429) return new ServiceError('UpstreamTooManyRequests', message, { status: 429 });
  // What is wrong with the program is not the upstream's fault.
  if (error instanceof TypeError || error instanceof RangeError) return error;
  return new ServiceError('UpstreamUnavailable', message, { status: 502, cause: error });
}
