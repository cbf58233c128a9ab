import { invalid } from '../shapes/shape.ts';

export interface RemoteFile {
  readonly body: AsyncIterable<Uint8Array>;
  /** Its type says so, or there is none that says anything and it begins like text. */
  readonly isText: boolean;
}

/** Types that servers give to what they do not know, such as a file without an extension. */
const UNKNOWN_TYPES = ['', 'application/octet-stream'];
/** Bytes that no text has. Source: "MIME Sniffing Standard", binary data byte. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const BINARY = /[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]/;
const SNIFFED = 512;

/** Fetches what a client has named by its address. Throws (400) what went wrong, in words. */
export async function fetchRemote(url: string, signal: AbortSignal): Promise<RemoteFile> {
  if (!URL.canParse(url)) throw invalid(`invalid URL: ${url.slice(0, 200)}`);
  let response: Response;
  try {
    response = await fetch(url, { signal, redirect: 'follow' });
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    throw invalid(`failed to download ${url}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw invalid(`failed to GET ${url} with status ${response.status} ${response.statusText}`);
  }
  const type = response.headers.get('content-type')?.split(';')[0]?.trim() ?? '';
  if (!UNKNOWN_TYPES.includes(type)) return { body: response.body, isText: type === 'text/plain' };
  const pieces = response.body[Symbol.asyncIterator]();
  const first = await pieces.next();
  const start = first.done ? new Uint8Array() : first.value;
  return {
    body: withFirst(start, pieces),
    isText: start.length > 0 && !BINARY.test(Buffer.from(start.subarray(0, SNIFFED)).toString('latin1')),
  };
}

async function* withFirst(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
