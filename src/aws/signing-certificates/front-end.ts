import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FrontEnd } from '../../gateway/index.ts';

/** Paths of the certificates that SNS names in its messages. */
const PATH = /^\/SimpleNotificationService-[\da-f]{32}\.pem$/;

/**
 * Serves the certificates that prove SNS's signatures, whatever the host: messages name `sns.REGION.amazonaws.com`, which
 * is this gateway for functions. `certificate` gives the one of a path, as PEM.
 */
export function createSigningCertificateFrontEnd(certificate: (path: string) => Promise<string | undefined>): FrontEnd {
  return {
    name: 'sns-certificate',
    matches: (request) => request.method === 'GET' && PATH.test(request.url ?? ''),
    handle: (request, response) => {
      answer(certificate, request, response).catch(() => response.destroy());
    },
  };
}

async function answer(
  certificate: (path: string) => Promise<string | undefined>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const pem = await certificate(request.url ?? '');
  const body = pem ?? 'There is no such certificate.\n';
  response.writeHead(pem === undefined ? 404 : 200, {
    'content-type': pem === undefined ? 'text/plain' : 'application/x-pem-file',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}
