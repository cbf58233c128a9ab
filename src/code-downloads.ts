import { pipeline } from 'node:stream/promises';
import type { Logger } from './base/logger.ts';
import type { FrontEnd } from './gateway/index.ts';
import type { Lambda } from './services/lambda/index.ts';

/** `DOWNLOAD_PATH` of the Lambda service, which is not loaded for it. */
const DOWNLOADS = '/_kobune/lambda/code/';

/** The signed addresses of deployment packages that GetFunction gives out. */
export function codeDownloads(lambda: () => Promise<Lambda>, logger: Logger): FrontEnd {
  return {
    name: 'deployment packages',
    matches: ({ url }) => url?.startsWith(DOWNLOADS) ?? false,
    handle: (request, response) => {
      lambda()
        .then(({ downloads }) => downloads.open(request.url!))
        .then(async (content) => {
          if (content === undefined) {
            response.writeHead(403).end();
            return;
          }
          response.writeHead(200, { 'content-type': 'application/zip' });
          await pipeline(content, response);
        })
        .catch((error: unknown) => {
          logger.debug('a download was cut off', { error: String(error) });
          response.destroy();
        });
    },
  };
}
