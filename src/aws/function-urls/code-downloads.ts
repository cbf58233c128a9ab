import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { FrontEnd } from '../../gateway/index.ts';
import { DOWNLOAD_PATH, type SignedDownloads } from '../../services/lambda/index.ts';

/** Serves the addresses that GetFunction and GetLayerVersion give out for deployment packages. */
export function createCodeDownloadFrontEnd(downloads: () => Promise<SignedDownloads>): FrontEnd {
  return {
    name: 'lambda-code',
    matches: (request) => request.url?.startsWith(DOWNLOAD_PATH) === true,
    handle: (request, response) => {
      answer(downloads, request, response).catch(() => response.destroy());
    },
  };
}

async function answer(
  downloads: () => Promise<SignedDownloads>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = request.method === 'GET' ? await (await downloads()).open(request.url ?? '') : undefined;
  if (!body) {
    response.writeHead(403, { 'content-type': 'text/plain' });
    response.end('This download address is not valid, or has expired.\n');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/zip' });
  await pipeline(body, response);
}
