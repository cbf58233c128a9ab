import { invalid } from '../shapes/shape.ts';

export interface RemoteFile {
  readonly body: AsyncIterable<Uint8Array>;
  readonly type: string;
}

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
    throw invalid(`failed to GET ${url} with status ${response.status} ${response.statusText}`);
  }
  return { body: response.body, type: response.headers.get('content-type')?.split(';')[0]?.trim() ?? '' };
}
