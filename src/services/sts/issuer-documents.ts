import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { guardedLookup, isAllowedHost } from '../../events/index.ts';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 256 * 1024;

/**
 * Reads a small JSON document of an issuer: no redirects, bounded time and size, HTTPS. With `local`, it may be on this
 * machine, and there be plain HTTP: for callers who are on this machine themselves. Others, such as functions in their
 * sandboxes, do not reach the machine's own services by having them read. Rejects when there is no such document.
 */
export async function readIssuerDocument(text: string, local: boolean): Promise<string> {
  const url = acceptableUrl(text, local);
  if (!url) throw new Error(`the address may not be read: ${text}`);
  const document = await read(url, local);
  JSON.parse(document);
  return document;
}

/** Keys fetched in the clear prove nothing, unless they come from this machine. */
function acceptableUrl(text: string, local: boolean): URL | undefined {
  const url = URL.parse(text);
  if (!url || url.username || url.password || !isAllowedHost(url.hostname, local)) return undefined;
  if (url.protocol === 'https:') return url;
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  return url.protocol === 'http:' && local && isHere ? url : undefined;
}

function read(url: URL, local: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      headers: { accept: 'application/json' },
      lookup: guardedLookup(local),
      // Real time on purpose: it is a server's work that is waited for.
      signal: AbortSignal.timeout(TIMEOUT_MS),
      agent: false,
    } as const;
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', reject);
      if (response.statusCode !== 200) {
        response.destroy(new Error(`status ${response.statusCode}`));
        return;
      }
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) response.destroy(new Error('document too large'));
        else chunks.push(chunk);
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    });
    request.on('error', reject);
    request.end();
  });
}
